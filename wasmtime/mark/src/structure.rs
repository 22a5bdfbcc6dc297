//! A component, and the proof that all who write to its memory mark what they write.
//!
//! 1. There is one memory, which one module defines, once; modules that import a memory import this one.
//! 2. Modules that work on the memory (*ours*) are rewritten. Of the others, none does more than hand arguments on.
//! 3. The host writes where its `realloc` says, and where a call says that its answer is to lie. The first is a function that
//!    ours export, in whose place they export one that marks. The second is the last argument of a call without a result;
//!    it comes from ours, since nobody else makes up arguments, and ours call whatever they import through one that marks.
//! 4. So nobody may call a function of the host's past that: the host does not (what it enters, it enters through ours),
//!    and no table that ours use has functions that others have put there.
//! 5. The answer is no longer than what one mark is good for.
//! 6. No component is between the host and this one, and none within it has code: functions that are lowered are the host's.
//! 7. What memory begins with is known: no code runs before the last of its data are where they belong.
use wasmparser::component_types::ComponentFuncType;
use wasmparser::types::TypesRef;
use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentType,
    ComponentTypeRef, ExternalKind, Instance, InstantiationArgKind, Parser, Payload,
};

use crate::abi::Sizes;
use crate::image::{Image, Segment};
use crate::module::{Memory, Module};
use crate::{refuse, Result, Role, SLACK};

enum CoreInstance<'a> {
    /// Of a module, with whom its imports come from.
    OfModule { module: usize, imports: Vec<(&'a str, u32)> },
    /// Things of others, put together.
    Bag(Vec<(&'a str, ExternalKind, u32)>),
}

#[derive(Clone, Copy)]
enum CoreFunction<'a> {
    /// Made by `canon`.
    OfHost,
    Of(u32, &'a str),
}

/// Where a thing of a core instance comes from in the end.
enum Origin<'a> {
    Host,
    /// The instance of a module, and the name of its export.
    Module { instance: usize, module: usize, name: &'a str },
}

pub struct Plan<'a> {
    pub modules: Vec<Module<'a>>,
    instances: Vec<CoreInstance<'a>>,
    functions: Vec<CoreFunction<'a>>,
    tables: Vec<(u32, &'a str)>,
    /// Of the component's functions and instances: whether they are imported.
    component_functions: Vec<bool>,
    component_instances: Vec<bool>,
    /// Core functions that the host enters, and those that it calls for memory.
    entered: Vec<u32>,
    reallocs: Vec<u32>,
}

fn at<T>(all: &[T], index: u32) -> Result<&T> {
    match all.get(index as usize) {
        Some(one) => Ok(one),
        None => refuse("an index that leads nowhere"),
    }
}

/// Read a component that has been validated.
pub fn read<'a>(component: &'a [u8], types: TypesRef<'a>) -> Result<Plan<'a>> {
    let mut plan = Plan {
        modules: Vec::new(),
        instances: Vec::new(),
        functions: Vec::new(),
        tables: Vec::new(),
        component_functions: Vec::new(),
        component_instances: Vec::new(),
        entered: Vec::new(),
        reallocs: Vec::new(),
    };
    let mut sizes = Sizes::new(types);
    // Of what is nested: whether it is a module, whose payloads are looked at elsewhere.
    let mut open: Vec<bool> = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload?;
        match (&payload, open.last()) {
            (Payload::ModuleSection { unchecked_range, .. }, None) => {
                // A module that ends with the component, and before its own size, passes as valid.
                let Some(module) = component.get(unchecked_range.clone()) else {
                    return refuse("a module that is longer than the component");
                };
                plan.modules.push(Module::read(module)?);
                open.push(true);
            }
            (Payload::ComponentSection { .. }, None | Some(false)) => open.push(false),
            (Payload::End(_), Some(_)) => {
                open.pop();
            }
            (_, Some(true)) => {}
            (_, Some(false)) => nested(&payload)?,
            (_, None) => plan.section(payload, types, &mut sizes)?,
        }
    }
    plan.check()?;
    Ok(plan)
}

/// A component within it has no code, and gives none a way.
fn nested(payload: &Payload<'_>) -> Result<()> {
    match payload {
        Payload::Version { .. }
        | Payload::CustomSection(_)
        | Payload::ComponentInstanceSection(_)
        | Payload::ComponentTypeSection(_)
        | Payload::ComponentImportSection(_)
        | Payload::ComponentExportSection(_) => Ok(()),
        Payload::ComponentAliasSection(aliases) => {
            for alias in aliases.clone() {
                if let ComponentAlias::CoreInstanceExport { .. } = alias? {
                    return refuse("a component within it has code");
                }
            }
            Ok(())
        }
        _ => refuse("a component within it has code"),
    }
}

impl<'a> Plan<'a> {
    fn section(&mut self, payload: Payload<'a>, types: TypesRef<'a>, sizes: &mut Sizes<'a>) -> Result<()> {
        match payload {
            Payload::Version { .. } | Payload::CustomSection(_) | Payload::End(_) => {}
            Payload::InstanceSection(instances) => {
                for instance in instances {
                    self.core_instance(instance?);
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances {
                    // What it exports is not the host's, whatever it is.
                    let (ComponentInstance::Instantiate { .. } | ComponentInstance::FromExports(_)) = instance?;
                    self.component_instances.push(false);
                }
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases {
                    self.alias(alias?)?;
                }
            }
            Payload::ComponentTypeSection(all) => {
                for ty in all {
                    if let ComponentType::Resource { dtor: Some(function), .. } = ty? {
                        self.entered.push(function);
                    }
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions {
                    self.canonical(function?, types, sizes)?;
                }
            }
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    match import?.ty {
                        ComponentTypeRef::Func(_) => self.component_functions.push(true),
                        ComponentTypeRef::Instance(_) => self.component_instances.push(true),
                        ComponentTypeRef::Type(_) => {}
                        _ => return refuse("it imports code"),
                    }
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    match export.kind {
                        ComponentExternalKind::Func => {
                            self.component_functions.push(*at(&self.component_functions, export.index)?)
                        }
                        ComponentExternalKind::Instance => {
                            self.component_instances.push(*at(&self.component_instances, export.index)?)
                        }
                        ComponentExternalKind::Type => {}
                        _ => return refuse("it exports code"),
                    }
                }
            }
            _ => return refuse("it has a part that is not known"),
        }
        Ok(())
    }

    fn core_instance(&mut self, instance: Instance<'a>) {
        self.instances.push(match instance {
            Instance::Instantiate { module_index, args } => CoreInstance::OfModule {
                module: module_index as usize,
                imports: args
                    .iter()
                    .map(|arg| {
                        let InstantiationArgKind::Instance = arg.kind;
                        (arg.name, arg.index)
                    })
                    .collect(),
            },
            Instance::FromExports(exports) => {
                CoreInstance::Bag(exports.iter().map(|e| (e.name, e.kind, e.index)).collect())
            }
        });
    }

    fn alias(&mut self, alias: ComponentAlias<'a>) -> Result<()> {
        match alias {
            ComponentAlias::InstanceExport { kind, instance_index, .. } => {
                let imported = *at(&self.component_instances, instance_index)?;
                match kind {
                    ComponentExternalKind::Func => self.component_functions.push(imported),
                    ComponentExternalKind::Instance => self.component_instances.push(imported),
                    ComponentExternalKind::Type => {}
                    _ => return refuse("it has code of others"),
                }
            }
            ComponentAlias::CoreInstanceExport { kind, instance_index, name } => match kind {
                ExternalKind::Func => self.functions.push(CoreFunction::Of(instance_index, name)),
                ExternalKind::Table => self.tables.push((instance_index, name)),
                ExternalKind::Memory | ExternalKind::Global => {}
                _ => return refuse("it has a thing that is not known"),
            },
            ComponentAlias::Outer { .. } => return refuse("it has things of others"),
        }
        Ok(())
    }

    /// The `realloc` is noted; what is not understood is refused.
    fn options(&mut self, options: &[CanonicalOption]) -> Result<()> {
        for option in options {
            match *option {
                CanonicalOption::UTF8 | CanonicalOption::UTF16 | CanonicalOption::CompactUTF16 => {}
                CanonicalOption::Memory(_) => {} // there is one
                CanonicalOption::Realloc(function) => self.reallocs.push(function),
                CanonicalOption::PostReturn(function) => self.entered.push(function),
                _ => return refuse("it has a function with an option that is not known"),
            }
        }
        Ok(())
    }

    fn canonical(
        &mut self,
        function: CanonicalFunction,
        types: TypesRef<'a>,
        sizes: &mut Sizes<'a>,
    ) -> Result<()> {
        match function {
            CanonicalFunction::Lift { core_func_index, options, .. } => {
                self.entered.push(core_func_index);
                self.options(&options)?;
                self.component_functions.push(false);
            }
            CanonicalFunction::Lower { func_index, options } => {
                if !*at(&self.component_functions, func_index)? {
                    return refuse("it calls functions of a component within it");
                }
                let ty: &ComponentFuncType = &types[types.component_function_at(func_index)];
                if ty.async_ {
                    return refuse("it has asynchronous functions");
                }
                if let Some(result) = &ty.result {
                    if sizes.of(result)? > SLACK.into() {
                        return refuse("a function of the host has a long result");
                    }
                }
                self.options(&options)?;
                self.functions.push(CoreFunction::OfHost);
            }
            CanonicalFunction::ResourceNew { .. }
            | CanonicalFunction::ResourceDrop { .. }
            | CanonicalFunction::ResourceRep { .. } => self.functions.push(CoreFunction::OfHost),
            _ => return refuse("it has a built-in function that is not known"),
        }
        Ok(())
    }

    fn module_of(&self, instance: usize) -> Option<usize> {
        match self.instances.get(instance) {
            Some(CoreInstance::OfModule { module, .. }) => Some(*module),
            _ => None,
        }
    }

    /// Things are only made of earlier ones, so this ends.
    fn origin(&self, mut instance: u32, mut name: &'a str, kind: ExternalKind) -> Result<Origin<'a>> {
        loop {
            let bag = match at(&self.instances, instance)? {
                CoreInstance::OfModule { module, .. } => {
                    return Ok(Origin::Module { instance: instance as usize, module: *module, name })
                }
                CoreInstance::Bag(bag) => bag,
            };
            let Some(found) = bag.iter().find(|item| item.0 == name && item.1 == kind) else {
                return refuse("a name that leads nowhere");
            };
            (instance, name) = match kind {
                ExternalKind::Table => *at(&self.tables, found.2)?,
                _ => match *at(&self.functions, found.2)? {
                    CoreFunction::OfHost => return Ok(Origin::Host),
                    CoreFunction::Of(instance, name) => (instance, name),
                },
            };
        }
    }

    /// The module of ours, and the name that it exports this function by.
    fn of_ours(&self, function: u32) -> Result<(usize, &'a str)> {
        let origin = match *at(&self.functions, function)? {
            CoreFunction::OfHost => Origin::Host,
            CoreFunction::Of(instance, name) => self.origin(instance, name, ExternalKind::Func)?,
        };
        match origin {
            Origin::Module { module, name, .. } if at(&self.modules, module as u32)?.marks() => Ok((module, name)),
            _ => refuse("the host enters it where nothing is marked"),
        }
    }

    fn check(&mut self) -> Result<()> {
        let mut times = vec![0; self.modules.len()];
        let mut definers = 0;
        for instance in 0..self.instances.len() {
            let Some(module) = self.module_of(instance) else { continue };
            let Some(count) = times.get_mut(module) else { return refuse("an index that leads nowhere") };
            *count += 1;
            definers += u32::from(matches!(self.modules[module].memory, Memory::Defines(_)));
            if self.modules[module].marks() && times[module] > 1 {
                return refuse("a module has more than one instance");
            }
            if !self.modules[module].marks() && !self.modules[module].forwards {
                return refuse("it has code without a memory that does more than hand on");
            }
            self.check_tables(instance, module)?;
        }
        if definers != 1 {
            return refuse(format!("it has {definers} memories"));
        }
        for function in self.entered.clone() {
            self.of_ours(function)?;
        }
        for function in std::mem::take(&mut self.reallocs) {
            let (module, name) = self.of_ours(function)?;
            self.modules[module].reallocs.insert(name.to_owned());
        }
        self.check_data()
    }

    /// Tables are shared among ours, or among others.
    fn check_tables(&self, instance: usize, module: usize) -> Result<()> {
        let CoreInstance::OfModule { imports, .. } = &self.instances[instance] else { return Ok(()) };
        let ours = self.modules[module].marks();
        for (from, name) in &self.modules[module].table_imports {
            let Some((_, from)) = imports.iter().find(|import| import.0 == *from) else {
                return refuse("an import that leads nowhere");
            };
            match self.origin(*from, name, ExternalKind::Table)? {
                Origin::Module { module, instance: other, .. }
                    if other < instance && at(&self.modules, module as u32)?.marks() == ours => {}
                _ => return refuse("a table is shared with code that has no memory"),
            }
        }
        Ok(())
    }

    fn check_data(&self) -> Result<()> {
        let mut started = false;
        for module in (0..self.instances.len()).filter_map(|i| self.module_of(i)) {
            let module = &self.modules[module];
            if started && !module.segments.is_empty() {
                return refuse("code runs before its data are in place");
            }
            started = started || module.starts;
        }
        Ok(())
    }

    /// Our modules in the order in which they become instances.
    fn ours(&self) -> impl Iterator<Item = &Module<'a>> {
        let modules = (0..self.instances.len()).filter_map(|i| self.module_of(i));
        modules.map(|module| &self.modules[module]).filter(|module| module.marks())
    }

    pub fn image(&self) -> Result<Image> {
        let bytes = self.ours().find_map(|module| match module.memory {
            Memory::Defines(bytes) => Some(bytes),
            _ => None,
        });
        let segments: Vec<Segment<'_>> =
            self.ours().flat_map(|m| m.segments.iter()).map(|s| Segment { offset: s.offset, data: s.data }).collect();
        Image::new(bytes.unwrap_or(0), &segments)
    }

    pub fn memories(&self) -> Vec<Role> {
        self.ours()
            .flat_map(|module| match module.memory {
                Memory::Defines(_) => [Role::Data, Role::Marks].iter().copied(),
                _ => [Role::Marks].iter().copied(),
            })
            .collect()
    }
}
