//! Host functions in C. Arguments and results are sequences of *slots*: a value's parts in the order of its type.
//!
//! | type | slots |
//! | --- | --- |
//! | bool, integers, char | one: the value in `word` |
//! | float | one: its bits |
//! | string, and `list<u8>` in the typed signatures | one: address in `word`, length in `size` |
//! | own, borrow | one: the number in `word`, the resource type in `size` |
//! | other lists | one with the count, then the elements |
//! | record, tuple | their fields |
//! | enum, variant, option (none 0, some 1), result (ok 0, error 1) | one with the case, then its payload |
//! | flags | one with the bits |
//!
//! Signatures that carry bytes have their own typed path (`Shape`); all others go through `Val`.
use std::ffi::c_void;
use std::future::poll_fn;
use std::task::Poll;

use wasmtime_c_api::wasmtime;
use wasmtime_c_api::wasmtime::component::{
    ComponentNamedList, ComponentType, Lift, LinkerInstance, Lower, ResourceDynamic, Type, Val, WasmList,
};
use wasmtime_c_api::wasmtime::{AsContext, AsContextMut, Error, Result};
use wasmtime_c_api::*;

use crate::call::text_of;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Slot {
    word: u64,
    size: u64,
}

/// What a C function answers: slots that stay valid until the next host function is called on this thread.
#[repr(C)]
pub struct Reply {
    slots: *const Slot,
    count: usize,
}

/// Returns 0: answered; 1: not yet, call again when the guest is polled again; anything else: trap the guest.
type Callback = extern "C" fn(*const c_void, *mut c_void, *const Slot, usize, &mut Reply) -> i32;

#[derive(Clone, Copy)]
struct Host {
    callback: Callback,
    function: *const c_void,
}
// The function descriptor is a constant table entry on the C side.
unsafe impl Send for Host {}
unsafe impl Sync for Host {}

type Store<'a> = WasmtimeStoreContextMut<'a>;

impl Host {
    /// One try; None means that the guest must wait.
    fn call(&self, store: &Store<'_>, args: &[Slot]) -> Result<Option<Reader>> {
        let guest = wasmtime_context_get_data(store.as_context());
        let mut reply = Reply { slots: std::ptr::null(), count: 0 };
        match (self.callback)(self.function, guest, args.as_ptr(), args.len(), &mut reply) {
            0 if reply.count == 0 => Ok(Some(Reader([].iter()))),
            // The C side owns the slots and leaves them alone until the next call on this thread.
            0 => Ok(Some(Reader(unsafe { std::slice::from_raw_parts(reply.slots, reply.count) }.iter()))),
            1 => Ok(None),
            _ => Err(Error::msg("host function refused the call")),
        }
    }

    fn call_now(&self, store: &Store<'_>, args: &[Slot]) -> Result<Reader> {
        self.call(store, args)?.ok_or_else(|| Error::msg("host function cannot wait"))
    }
}

struct Reader(std::slice::Iter<'static, Slot>);

impl Reader {
    fn slot(&mut self) -> Result<Slot> {
        self.0.next().copied().ok_or_else(|| Error::msg("host function answered too little"))
    }
    fn finish<T>(mut self, value: T) -> Result<T> {
        match self.0.next() {
            None => Ok(value),
            Some(_) => Err(Error::msg("host function answered too much")),
        }
    }
    fn bytes(&mut self) -> Result<&[u8]> {
        let slot = self.slot()?;
        Ok(match slot.size {
            0 => &[],
            size => unsafe { std::slice::from_raw_parts(slot.word as *const u8, size as usize) },
        })
    }
    fn string(&mut self) -> Result<String> {
        Ok(String::from_utf8(self.bytes()?.to_vec())?)
    }
}

// Typed values ------------------------------------------------------------------------------------------------

trait ToSlots {
    fn put(&self, store: &Store<'_>, out: &mut Vec<Slot>) -> Result<()>;
}
trait FromSlots: Sized {
    fn take(from: &mut Reader) -> Result<Self>;
}

fn pointer(bytes: &[u8]) -> Slot {
    Slot { word: bytes.as_ptr() as u64, size: bytes.len() as u64 }
}

impl ToSlots for ResourceDynamic {
    fn put(&self, _: &Store<'_>, out: &mut Vec<Slot>) -> Result<()> {
        out.push(Slot { word: self.rep().into(), size: self.ty().into() });
        Ok(())
    }
}
impl ToSlots for String {
    fn put(&self, _: &Store<'_>, out: &mut Vec<Slot>) -> Result<()> {
        out.push(pointer(self.as_bytes()));
        Ok(())
    }
}
/// The guest's own memory: it does not move while the guest is inside the call.
impl ToSlots for WasmList<u8> {
    fn put(&self, store: &Store<'_>, out: &mut Vec<Slot>) -> Result<()> {
        out.push(pointer(self.as_le_slice(store.as_context())));
        Ok(())
    }
}
impl ToSlots for Vec<u8> {
    fn put(&self, _: &Store<'_>, out: &mut Vec<Slot>) -> Result<()> {
        out.push(pointer(self));
        Ok(())
    }
}
impl ToSlots for Vec<ResourceDynamic> {
    fn put(&self, store: &Store<'_>, out: &mut Vec<Slot>) -> Result<()> {
        out.push(Slot { word: self.len() as u64, size: 0 });
        self.iter().try_for_each(|item| item.put(store, out))
    }
}
impl ToSlots for Vec<String> {
    fn put(&self, store: &Store<'_>, out: &mut Vec<Slot>) -> Result<()> {
        out.push(Slot { word: self.len() as u64, size: 0 });
        self.iter().try_for_each(|item| item.put(store, out))
    }
}
impl ToSlots for Vec<Vec<u8>> {
    fn put(&self, store: &Store<'_>, out: &mut Vec<Slot>) -> Result<()> {
        out.push(Slot { word: self.len() as u64, size: 0 });
        self.iter().try_for_each(|item| item.put(store, out))
    }
}
impl<A: ToSlots, B: ToSlots> ToSlots for Vec<(A, B)> {
    fn put(&self, store: &Store<'_>, out: &mut Vec<Slot>) -> Result<()> {
        out.push(Slot { word: self.len() as u64, size: 0 });
        self.iter().try_for_each(|item| item.put(store, out))
    }
}
macro_rules! plain {
    ($($ty:ty),*) => {$(
        impl ToSlots for $ty {
            fn put(&self, _: &Store<'_>, out: &mut Vec<Slot>) -> Result<()> {
                out.push(Slot { word: *self as u64, size: 0 });
                Ok(())
            }
        }
        impl FromSlots for $ty {
            fn take(from: &mut Reader) -> Result<Self> {
                Ok(from.slot()?.word as $ty)
            }
        }
    )*};
}
plain!(u8, u16, u32, u64);

macro_rules! tuple {
    ($($name:ident),*) => {
        #[allow(non_snake_case)]
        impl<$($name: ToSlots),*> ToSlots for ($($name,)*) {
            fn put(&self, _store: &Store<'_>, _out: &mut Vec<Slot>) -> Result<()> {
                let ($($name,)*) = self;
                $($name.put(_store, _out)?;)*
                Ok(())
            }
        }
    };
}
tuple!();
tuple!(A);
tuple!(A, B);
tuple!(A, B, C);

impl FromSlots for () {
    fn take(_: &mut Reader) -> Result<Self> {
        Ok(())
    }
}
impl FromSlots for ResourceDynamic {
    fn take(from: &mut Reader) -> Result<Self> {
        let slot = from.slot()?;
        Ok(ResourceDynamic::new_own(slot.word as u32, slot.size as u32))
    }
}
impl FromSlots for bool {
    fn take(from: &mut Reader) -> Result<Self> {
        Ok(from.slot()?.word != 0)
    }
}
impl FromSlots for String {
    fn take(from: &mut Reader) -> Result<Self> {
        from.string()
    }
}
impl FromSlots for Vec<u8> {
    fn take(from: &mut Reader) -> Result<Self> {
        Ok(from.bytes()?.to_vec())
    }
}
/// A list that is not bytes: a count, then the elements.
fn take_list<T>(from: &mut Reader, mut item: impl FnMut(&mut Reader) -> Result<T>) -> Result<Vec<T>> {
    let count = from.slot()?.word;
    (0..count).map(|_| item(from)).collect()
}
impl FromSlots for Vec<Vec<u8>> {
    fn take(from: &mut Reader) -> Result<Self> {
        take_list(from, Vec::<u8>::take)
    }
}
impl<A: FromSlots, B: FromSlots> FromSlots for (A, B) {
    fn take(from: &mut Reader) -> Result<Self> {
        Ok((A::take(from)?, B::take(from)?))
    }
}
impl FromSlots for Vec<Option<(String, Vec<u8>)>> {
    fn take(from: &mut Reader) -> Result<Self> {
        take_list(from, |from| FromSlots::take(from))
    }
}
impl FromSlots for Vec<(String, Vec<u8>)> {
    fn take(from: &mut Reader) -> Result<Self> {
        take_list(from, |from| <(String, Vec<u8>)>::take(from))
    }
}
impl FromSlots for Vec<u32> {
    fn take(from: &mut Reader) -> Result<Self> {
        take_list(from, u32::take)
    }
}
impl<T: FromSlots> FromSlots for Option<T> {
    fn take(from: &mut Reader) -> Result<Self> {
        Ok(match from.slot()?.word {
            0 => None,
            _ => Some(T::take(from)?),
        })
    }
}
impl<T: FromSlots, E: FromSlots> FromSlots for Result<T, E> {
    fn take(from: &mut Reader) -> Result<Self> {
        Ok(match from.slot()?.word {
            0 => Ok(T::take(from)?),
            _ => Err(E::take(from)?),
        })
    }
}

/// wasi:io/streams
#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    Failed(ResourceDynamic),
    #[component(name = "closed")]
    Closed,
}
impl FromSlots for StreamError {
    fn take(from: &mut Reader) -> Result<Self> {
        Ok(match from.slot()?.word {
            0 => StreamError::Failed(ResourceDynamic::take(from)?),
            _ => StreamError::Closed,
        })
    }
}

/// wasi:http/types
#[derive(ComponentType, Lower)]
#[component(variant)]
enum HeaderError {
    #[component(name = "invalid-syntax")]
    Syntax,
    #[component(name = "forbidden")]
    Forbidden,
    #[component(name = "immutable")]
    Immutable,
}
impl FromSlots for HeaderError {
    fn take(from: &mut Reader) -> Result<Self> {
        Ok(match from.slot()?.word {
            0 => HeaderError::Syntax,
            1 => HeaderError::Forbidden,
            _ => HeaderError::Immutable,
        })
    }
}

/// wasi:keyvalue/store
#[derive(ComponentType, Lower)]
#[component(variant)]
enum StoreError {
    #[component(name = "no-such-store")]
    NoSuchStore,
    #[component(name = "access-denied")]
    AccessDenied,
    #[component(name = "other")]
    Other(String),
}
impl FromSlots for StoreError {
    fn take(from: &mut Reader) -> Result<Self> {
        Ok(match from.slot()?.word {
            0 => StoreError::NoSuchStore,
            1 => StoreError::AccessDenied,
            _ => StoreError::Other(from.string()?),
        })
    }
}

/// wasi:filesystem/types
macro_rules! file_error {
    ($($case:ident = $name:literal,)*) => {
        #[derive(ComponentType, Lower, Clone, Copy)]
        #[component(enum)]
        #[repr(u8)]
        enum FileError {
            $(#[component(name = $name)] $case,)*
        }
        impl FileError {
            const ALL: &[FileError] = &[$(FileError::$case,)*];
        }
    };
}
file_error! {
    Access = "access",
    WouldBlock = "would-block",
    Already = "already",
    BadDescriptor = "bad-descriptor",
    Busy = "busy",
    Deadlock = "deadlock",
    Quota = "quota",
    Exist = "exist",
    FileTooLarge = "file-too-large",
    IllegalByteSequence = "illegal-byte-sequence",
    InProgress = "in-progress",
    Interrupted = "interrupted",
    Invalid = "invalid",
    Io = "io",
    IsDirectory = "is-directory",
    Loop = "loop",
    TooManyLinks = "too-many-links",
    MessageSize = "message-size",
    NameTooLong = "name-too-long",
    NoDevice = "no-device",
    NoEntry = "no-entry",
    NoLock = "no-lock",
    InsufficientMemory = "insufficient-memory",
    InsufficientSpace = "insufficient-space",
    NotDirectory = "not-directory",
    NotEmpty = "not-empty",
    NotRecoverable = "not-recoverable",
    Unsupported = "unsupported",
    NoTty = "no-tty",
    NoSuchDevice = "no-such-device",
    Overflow = "overflow",
    NotPermitted = "not-permitted",
    Pipe = "pipe",
    ReadOnly = "read-only",
    InvalidSeek = "invalid-seek",
    TextFileBusy = "text-file-busy",
    CrossDevice = "cross-device",
}
impl FromSlots for FileError {
    fn take(from: &mut Reader) -> Result<Self> {
        let case = FileError::ALL.get(from.slot()?.word as usize);
        case.copied().ok_or_else(|| Error::msg("no such case"))
    }
}

// Registration --------------------------------------------------------------------------------------------------

type Instance<'a> = LinkerInstance<'a, WasmtimeStoreData>;

/// Where the C side registers a function and how.
struct Place<'a, 'b> {
    instance: &'a mut Instance<'b>,
    name: &'a str,
    waits: bool,
    host: Host,
}

fn params_of<P: ToSlots>(store: &Store<'_>, params: &P) -> Result<Vec<Slot>> {
    let mut args = Vec::with_capacity(8);
    params.put(store, &mut args)?;
    Ok(args)
}

fn take_one<R: FromSlots>(mut from: Reader) -> Result<(R,)> {
    let value = R::take(&mut from)?;
    from.finish((value,))
}

impl Place<'_, '_> {
    fn typed<P, R>(self) -> Result<()>
    where
        P: ToSlots + ComponentNamedList + Lift + Send + Sync + 'static,
        R: FromSlots + Lower + Send + Sync + 'static,
    {
        let host = self.host;
        if !self.waits {
            return self.instance.func_wrap(self.name, move |store: Store<'_>, params: P| {
                take_one::<R>(host.call_now(&store, &params_of(&store, &params)?)?)
            });
        }
        self.instance.func_wrap_async(self.name, move |store: Store<'_>, params: P| {
            Box::new(poll_fn(move |_| {
                let tried = params_of(&store, &params).and_then(|args| host.call(&store, &args));
                match tried {
                    Ok(Some(from)) => Poll::Ready(take_one::<R>(from)),
                    Ok(None) => Poll::Pending,
                    Err(e) => Poll::Ready(Err(e)),
                }
            }))
        })
    }

    /// The same for a function without a result.
    fn typed_void<P>(self) -> Result<()>
    where
        P: ToSlots + ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let host = self.host;
        self.instance.func_wrap_async(self.name, move |store: Store<'_>, params: P| {
            Box::new(poll_fn(move |_| {
                let tried = params_of(&store, &params).and_then(|args| host.call(&store, &args));
                match tried {
                    Ok(Some(from)) => Poll::Ready(from.finish(())),
                    Ok(None) => Poll::Pending,
                    Err(e) => Poll::Ready(Err(e)),
                }
            }))
        })
    }

    fn dynamic(self) -> Result<()> {
        let host = self.host;
        if !self.waits {
            return self.instance.func_new(self.name, move |mut store, ty, params, results| {
                let args = flatten(&mut store, ty.params().map(|(_, ty)| ty), params)?;
                let from = host.call_now(&store, &args)?;
                fill(&mut store, from, ty.results(), results)
            });
        }
        self.instance.func_new_async(self.name, move |mut store, ty, params, results| {
            // Flattened once: turning a borrow into its number uses it up.
            let mut args = None;
            Box::new(poll_fn(move |_| {
                let mut attempt = || {
                    if args.is_none() {
                        args = Some(SendSlots(flatten(&mut store, ty.params().map(|(_, ty)| ty), params)?));
                    }
                    let slots = args.as_ref().map_or(&[][..], |a| &a.0);
                    match host.call(&store, slots)? {
                        Some(from) => fill(&mut store, from, ty.results(), results).map(Some),
                        None => Ok(None),
                    }
                };
                match attempt() {
                    Ok(Some(())) => Poll::Ready(Ok(())),
                    Ok(None) => Poll::Pending,
                    Err(e) => Poll::Ready(Err(e)),
                }
            }))
        })
    }
}

type Bytes = Vec<u8>;
type Own = ResourceDynamic;
type Handle = ResourceDynamic;

impl Place<'_, '_> {
    /// The numbers are those of `enum shape` in `enclave/wasm/shim.h`; 0 is any type, by way of `Val`.
    fn define(self, shape: u32) -> Result<()> {
        match shape {
            0 => self.dynamic(),
            1 => self.typed::<(Handle, WasmList<u8>), Result<(), StreamError>>(),
            2 => self.typed::<(Handle, u64), Result<Bytes, StreamError>>(),
            3 => self.typed::<(u64,), Bytes>(),
            4 => self.typed::<(Handle, String), Vec<Bytes>>(),
            5 => self.typed::<(Handle, String, Vec<Bytes>), Result<(), HeaderError>>(),
            6 => self.typed::<(Handle, String, Bytes), Result<(), HeaderError>>(),
            7 => self.typed::<(Handle,), Vec<(String, Bytes)>>(),
            8 => self.typed::<(Vec<(String, Bytes)>,), Result<Own, HeaderError>>(),
            9 => self.typed::<(Handle, String), Result<Option<Bytes>, StoreError>>(),
            10 => self.typed::<(Handle, String, WasmList<u8>), Result<(), StoreError>>(),
            11 => self.typed::<(), Own>(),
            12 => self.typed::<(Handle,), Own>(),
            13 => self.typed::<(Handle,), Result<Own, ()>>(),
            14 => self.typed::<(Handle, u16), Result<(), ()>>(),
            15 => self.typed::<(Handle,), Option<String>>(),
            16 => self.typed::<(Handle,), Result<u64, StreamError>>(),
            17 => self.typed::<(Handle,), Result<(), StreamError>>(),
            18 => self.typed_void::<(Handle,)>(),
            19 => self.typed::<(Handle,), bool>(),
            20 => self.typed::<(Vec<Handle>,), Vec<u32>>(),
            21 => self.typed::<(Handle, Vec<String>), Result<Vec<Option<(String, Bytes)>>, StoreError>>(),
            22 => self.typed::<(Handle, Vec<(String, Bytes)>), Result<(), StoreError>>(),
            23 => self.typed::<(Handle, u64, u64), Result<(Bytes, bool), FileError>>(),
            24 => self.typed::<(Handle, WasmList<u8>, u64), Result<u64, FileError>>(),
            _ => Err(Error::msg("no such shape")),
        }
    }
}

/// Define a host function in a linker's instance.
///
/// # Safety
/// `name` is readable; `function` stays valid as long as anything made from the linker.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn enclave_linker_func(
    instance: &mut wasmtime_component_linker_instance_t<'_>,
    name: *const u8,
    name_size: usize,
    shape: u32,
    waits: bool,
    callback: Callback,
    function: *const c_void,
) -> Option<Box<wasmtime_error_t>> {
    // The C API's type is `repr(transparent)` around this one.
    let instance = unsafe { &mut *(instance as *mut wasmtime_component_linker_instance_t<'_>).cast::<Instance<'_>>() };
    let host = Host { callback, function };
    let name = unsafe { text_of(name, name_size) };
    match name.and_then(|name| Place { instance, name, waits, host }.define(shape)) {
        Ok(()) => None,
        Err(error) => Some(Box::new(error.into())),
    }
}

// The dynamic path ------------------------------------------------------------------------------------------------
struct SendSlots(Vec<Slot>);

fn flatten(store: &mut Store<'_>, types: impl Iterator<Item = Type>, values: &[Val]) -> Result<Vec<Slot>> {
    let mut out = Vec::with_capacity(8);
    for (ty, value) in types.zip(values) {
        put_value(store, &ty, value, &mut out)?;
    }
    Ok(out)
}

fn fill(
    store: &mut Store<'_>,
    mut from: Reader,
    types: impl Iterator<Item = Type>,
    results: &mut [Val],
) -> Result<()> {
    for (ty, result) in types.zip(results) {
        *result = take_value(store, &mut from, &ty)?;
    }
    from.finish(())
}

fn position<'a>(mut names: impl Iterator<Item = &'a str>, name: &str) -> Result<u64> {
    let found = names.position(|n| n == name);
    Ok(found.ok_or_else(|| Error::msg("value does not fit its type"))? as u64)
}

fn put_value(store: &mut Store<'_>, ty: &Type, value: &Val, out: &mut Vec<Slot>) -> Result<()> {
    let mut word = |word: u64| out.push(Slot { word, size: 0 });
    match (ty, value) {
        (_, Val::Bool(v)) => word((*v).into()),
        (_, Val::S8(v)) => word(*v as u64),
        (_, Val::U8(v)) => word((*v).into()),
        (_, Val::S16(v)) => word(*v as u64),
        (_, Val::U16(v)) => word((*v).into()),
        (_, Val::S32(v)) => word(*v as u64),
        (_, Val::U32(v)) => word((*v).into()),
        (_, Val::S64(v)) => word(*v as u64),
        (_, Val::U64(v)) => word(*v),
        (_, Val::Float32(v)) => word(v.to_bits().into()),
        (_, Val::Float64(v)) => word(v.to_bits()),
        (_, Val::Char(v)) => word(u32::from(*v).into()),
        (_, Val::String(v)) => out.push(pointer(v.as_bytes())),
        (_, Val::Resource(any)) => {
            let resource = any.try_into_resource_dynamic(store.as_context_mut())?;
            out.push(Slot { word: resource.rep().into(), size: resource.ty().into() });
        }
        (Type::List(t), Val::List(items)) => {
            word(items.len() as u64);
            for item in items {
                put_value(store, &t.ty(), item, out)?;
            }
        }
        (Type::Record(t), Val::Record(fields)) => {
            for (field, (_, item)) in t.fields().zip(fields) {
                put_value(store, &field.ty, item, out)?;
            }
        }
        (Type::Tuple(t), Val::Tuple(items)) => {
            for (ty, item) in t.types().zip(items) {
                put_value(store, &ty, item, out)?;
            }
        }
        (Type::Enum(t), Val::Enum(name)) => word(position(t.names(), name)?),
        (Type::Flags(t), Val::Flags(set)) => {
            let mut bits = 0;
            for name in set {
                bits |= 1 << position(t.names(), name)?;
            }
            word(bits);
        }
        (Type::Variant(t), Val::Variant(name, payload)) => {
            let index = position(t.cases().map(|c| c.name), name)?;
            word(index);
            let payload_type = t.cases().nth(index as usize).and_then(|c| c.ty);
            put_payload(store, payload_type, payload.as_deref(), out)?;
        }
        (Type::Option(t), Val::Option(payload)) => {
            word(payload.is_some().into());
            put_payload(store, Some(t.ty()), payload.as_deref(), out)?;
        }
        (Type::Result(t), Val::Result(result)) => {
            word(result.is_err().into());
            match result {
                Ok(payload) => put_payload(store, t.ok(), payload.as_deref(), out)?,
                Err(payload) => put_payload(store, t.err(), payload.as_deref(), out)?,
            }
        }
        _ => return Err(Error::msg("unsupported argument type")),
    }
    Ok(())
}

fn put_payload(store: &mut Store<'_>, ty: Option<Type>, value: Option<&Val>, out: &mut Vec<Slot>) -> Result<()> {
    match (ty, value) {
        (Some(ty), Some(value)) => put_value(store, &ty, value, out),
        _ => Ok(()),
    }
}

fn take_payload(store: &mut Store<'_>, from: &mut Reader, ty: Option<Type>) -> Result<Option<Box<Val>>> {
    ty.map(|ty| take_value(store, from, &ty).map(Box::new)).transpose()
}

fn take_value(store: &mut Store<'_>, from: &mut Reader, ty: &Type) -> Result<Val> {
    Ok(match ty {
        Type::Bool => Val::Bool(from.slot()?.word != 0),
        Type::S8 => Val::S8(from.slot()?.word as i8),
        Type::U8 => Val::U8(from.slot()?.word as u8),
        Type::S16 => Val::S16(from.slot()?.word as i16),
        Type::U16 => Val::U16(from.slot()?.word as u16),
        Type::S32 => Val::S32(from.slot()?.word as i32),
        Type::U32 => Val::U32(from.slot()?.word as u32),
        Type::S64 => Val::S64(from.slot()?.word as i64),
        Type::U64 => Val::U64(from.slot()?.word),
        Type::Float32 => Val::Float32(f32::from_bits(from.slot()?.word as u32)),
        Type::Float64 => Val::Float64(f64::from_bits(from.slot()?.word)),
        Type::Char => Val::Char(char::from_u32(from.slot()?.word as u32).unwrap_or('\u{fffd}')),
        Type::String => Val::String(from.string()?),
        Type::List(t) => Val::List(take_list(from, |from| take_value(store, from, &t.ty()))?),
        Type::Tuple(t) => Val::Tuple(t.types().map(|ty| take_value(store, from, &ty)).collect::<Result<_>>()?),
        Type::Record(t) => {
            let mut field = |f: wasmtime::component::types::Field<'_>| Ok((f.name.into(), take_value(store, from, &f.ty)?));
            Val::Record(t.fields().map(&mut field).collect::<Result<_>>()?)
        }
        Type::Enum(t) => {
            let index = from.slot()?.word as usize;
            Val::Enum(t.names().nth(index).ok_or_else(|| Error::msg("no such case"))?.into())
        }
        Type::Flags(t) => {
            let bits = from.slot()?.word;
            Val::Flags(t.names().enumerate().filter(|(i, _)| bits >> i & 1 == 1).map(|(_, n)| n.into()).collect())
        }
        Type::Variant(t) => {
            let index = from.slot()?.word as usize;
            let case = t.cases().nth(index).ok_or_else(|| Error::msg("no such case"))?;
            Val::Variant(case.name.into(), take_payload(store, from, case.ty)?)
        }
        Type::Option(t) => match from.slot()?.word {
            0 => Val::Option(None),
            _ => Val::Option(Some(Box::new(take_value(store, from, &t.ty())?))),
        },
        Type::Result(t) => match from.slot()?.word {
            0 => Val::Result(Ok(take_payload(store, from, t.ok())?)),
            _ => Val::Result(Err(take_payload(store, from, t.err())?)),
        },
        Type::Own(_) | Type::Borrow(_) => {
            let own = ResourceDynamic::take(from)?;
            Val::Resource(own.try_into_resource_any(store.as_context_mut())?)
        }
        _ => return Err(Error::msg("unsupported result type")),
    })
}
