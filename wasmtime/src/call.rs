//! One request: instantiate a component and call its `handle` or its `run`, as one future that the enclave polls.
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use wasmtime_c_api::wasmtime::component::{
    Component, ComponentExportIndex, InstancePre, Linker, ResourceDynamic,
};
use wasmtime_c_api::wasmtime::{AsContextMut, Error, Result};
use wasmtime_c_api::*;

/// A component whose imports are resolved and whose entry function is found: what a request starts from.
pub struct Pre {
    pre: InstancePre<WasmtimeStoreData>,
    entry: ComponentExportIndex,
}

/// A request in progress. Owns the guest's fiber; dropping it ends the guest wherever it stands.
pub struct Call {
    future: Pin<Box<dyn Future<Output = Result<()>>>>,
}

/// # Safety
/// The C API's linker and component are `repr(transparent)` around these types.
unsafe fn linker_of(linker: &wasmtime_component_linker_t) -> &Linker<WasmtimeStoreData> {
    unsafe { &*(linker as *const wasmtime_component_linker_t).cast() }
}
pub(crate) unsafe fn component_of(component: &wasmtime_component_t) -> &Component {
    unsafe { &*(component as *const wasmtime_component_t).cast() }
}
pub(crate) unsafe fn text_of<'a>(text: *const u8, size: usize) -> Result<&'a str> {
    Ok(std::str::from_utf8(unsafe { std::slice::from_raw_parts(text, size) })?)
}

fn resolve(
    linker: &Linker<WasmtimeStoreData>,
    component: &Component,
    interface: &str,
    name: &str,
) -> Result<Pre> {
    let instance = component.get_export_index(None, interface);
    let entry = instance.and_then(|i| component.get_export_index(Some(&i), name));
    let entry = entry.ok_or_else(|| Error::msg(format!("{interface} does not export {name}")))?;
    let pre = linker.instantiate_pre(component)?;
    Ok(Pre { pre, entry })
}

/// Resolve the component against the linker, to call `handle` or `run` of its exported `interface`.
///
/// # Safety
/// `interface` points to `interface_size` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn enclave_pre_new(
    linker: &wasmtime_component_linker_t,
    component: &wasmtime_component_t,
    interface: *const u8,
    interface_size: usize,
    command: bool,
    out: &mut *mut Pre,
) -> Option<Box<wasmtime_error_t>> {
    let name = if command { "run" } else { "handle" };
    let interface = unsafe { text_of(interface, interface_size) };
    match interface.and_then(|i| resolve(unsafe { linker_of(linker) }, unsafe { component_of(component) }, i, name)) {
        Ok(pre) => {
            *out = Box::into_raw(Box::new(pre));
            None
        }
        Err(error) => Some(Box::new(error.into())),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn enclave_pre_delete(_pre: Option<Box<Pre>>) {}

/// Prepare a call; nothing runs before the first poll. `copied_max` is how much the guest can have copied out of its
/// memory in one host call, lists that overlap counted in full.
///
/// # Safety
/// `pre` and the store outlive the call, and the store is used by nothing else until the call is deleted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn enclave_call_new(
    pre: &'static Pre,
    mut store: WasmtimeStoreContextMut<'static>,
    request: u32,
    request_type: u32,
    outparam: u32,
    outparam_type: u32,
    copied_max: usize,
) -> Box<Call> {
    store.as_context_mut().set_hostcall_fuel(copied_max);
    let future = Box::pin(async move {
        let instance = pre.pre.instantiate_async(&mut store).await?;
        let handle = instance
            .get_typed_func::<(ResourceDynamic, ResourceDynamic), ()>(&mut store, &pre.entry)?;
        let request = ResourceDynamic::new_own(request, request_type);
        let outparam = ResourceDynamic::new_own(outparam, outparam_type);
        handle.call_async(&mut store, (request, outparam)).await
    });
    Box::new(Call { future })
}

/// The same for a command: its `run`, whose own failure is an error.
///
/// # Safety
/// As for `enclave_call_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn enclave_call_new_command(
    pre: &'static Pre,
    mut store: WasmtimeStoreContextMut<'static>,
    copied_max: usize,
) -> Box<Call> {
    store.as_context_mut().set_hostcall_fuel(copied_max);
    let future = Box::pin(async move {
        let instance = pre.pre.instantiate_async(&mut store).await?;
        let run = instance.get_typed_func::<(), (std::result::Result<(), ()>,)>(&mut store, &pre.entry)?;
        let (status,) = run.call_async(&mut store, ()).await?;
        status.map_err(|()| Error::msg("the command failed"))
    });
    Box::new(Call { future })
}

/// Run the guest until it is done (true; `error` is set if it failed) or waits or yields (false).
#[unsafe(no_mangle)]
pub extern "C" fn enclave_call_poll(
    call: &mut Call,
    error: &mut *mut wasmtime_error_t,
) -> bool {
    match call.future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending => false,
        Poll::Ready(Ok(())) => true,
        Poll::Ready(Err(e)) => {
            *error = Box::into_raw(Box::new(e.into()));
            true
        }
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn enclave_call_delete(_call: Option<Box<Call>>) {}
