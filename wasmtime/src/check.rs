//! A look at a component before anything compiles it: how deep, how large, how many.
//!
//! wasmparser reads nested types by recursion, and only then counts how deep they were; wasmtime walks types by
//! recursion, instantiates components within components at compile time, and aborts the process if memory runs out.
//! So the bounds are kept here first, without recursion: what is open lies on a list.
//!
//! Depths are upper bounds. A type is one deeper than the deepest thing that it names, an instance as deep as its
//! component.
use wasmparser::{
    BinaryReader, BlockType, ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentType, ComponentTypeRef, CompositeInnerType, CoreType, Encoding, FuncToValidate, FuncValidator,
    FuncValidatorAllocations, FunctionBody, Instance, Operator, Parser, Payload, TypeBounds, TypeRef, ValidPayload,
    Validator, ValidatorResources, WasmFeatures,
};
use wasmtime_c_api::wasmtime::{Error, Result};
use wasmtime_c_api::wasmtime_error_t;

/// What a component may have; `struct component_limits` in `enclave/wasm/shim.h`.
#[repr(C)]
pub struct Limits {
    /// Types within types, written out or by name, and components within components.
    depth: u64,
    /// Types, imports, exports, aliases, instances and their arguments, of all components in it.
    items: u64,
    /// Functions, globals, tables, memories, tags, types, imports, exports and segments, of all its modules.
    core_items: u64,
    /// Bytes of one function.
    function_bytes: u64,
    /// Loops within loops of one function.
    loops: u64,
    /// Values that a block takes or gives.
    block_values: u64,
    /// Handlers of exceptions that are in force at one place.
    handlers: u64,
    /// Instructions that may fill or copy all of a memory, a table or an array, with nothing between them at which the
    /// guest can be interrupted.
    bulk: u64,
    /// Steps that compiling one function takes, and all of them: see `Work`.
    function_work: u64,
    work: u64,
    /// Instances of modules and components that one instance of it consists of.
    instances: u64,
}

/// What it has; `struct component_needs` in C.
#[repr(C)]
#[derive(Default)]
pub struct Needs {
    items: u64,
    core_items: u64,
    code_bytes: u64,
    functions: u64,
    /// Of one function: its operators. A call counts as four: all that lives across it is kept somewhere else.
    largest_function: u64,
    /// Of one function: its variables times the places where branches meet. Each may be a value of its own there.
    largest_graph: u64,
    /// Of one function, and of all: see `Work`.
    largest_work: u64,
    work: u64,
    instances: u64,
    /// Bytes of its instances beside memories and tables, at most.
    instance_bytes: u64,
}

#[derive(Clone, Copy, Default)]
struct Weight {
    instances: u64,
    bytes: u64,
}

impl Weight {
    fn add(&mut self, other: Weight) {
        self.instances = self.instances.saturating_add(other.instances);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

#[derive(Clone, Copy)]
struct Inner {
    depth: u64,
    /// None: it was handed over, and nothing here says what it is.
    weight: Option<Weight>,
}

/// A component, or a type of a component or an instance, of which not everything has been read.
#[derive(Default)]
struct Scope {
    types: Vec<u64>,
    instances: Vec<u64>,
    components: Vec<Inner>,
    modules: Vec<Option<Weight>>,
    weight: Weight,
    deepest: u64,
    /// Of a type: declarations that follow.
    left: u32,
    is_component_type: bool,
}

impl Scope {
    fn type_depth(&self, index: u32) -> u64 {
        self.types.get(index as usize).copied().unwrap_or(self.deepest)
    }
    fn instance_depth(&self, index: u32) -> u64 {
        self.instances.get(index as usize).copied().unwrap_or(self.deepest)
    }
    fn component(&self, index: u32) -> Inner {
        self.components.get(index as usize).copied().unwrap_or(Inner { depth: self.deepest, weight: None })
    }
    fn saw(&mut self, depth: u64) -> u64 {
        self.deepest = self.deepest.max(depth);
        depth
    }

    /// Something with this type comes into the index space of its kind.
    fn declare(&mut self, ty: &ComponentTypeRef) {
        match *ty {
            ComponentTypeRef::Type(TypeBounds::Eq(index)) => {
                let depth = self.type_depth(index);
                self.push_type(depth);
            }
            ComponentTypeRef::Type(TypeBounds::SubResource) => self.push_type(1),
            ComponentTypeRef::Instance(index) => {
                let depth = self.type_depth(index);
                self.saw(depth);
                self.instances.push(depth);
            }
            ComponentTypeRef::Component(index) => {
                let depth = self.type_depth(index);
                self.saw(depth);
                self.components.push(Inner { depth, weight: None });
            }
            ComponentTypeRef::Func(index) => {
                let depth = self.type_depth(index);
                self.saw(depth);
            }
            ComponentTypeRef::Module(_) => self.modules.push(None),
            ComponentTypeRef::Value(_) => {}
        }
    }
    fn push_type(&mut self, depth: u64) {
        self.saw(depth);
        self.types.push(depth);
    }

    /// How deep what an export names is; it comes into its index space a second time.
    fn export(&mut self, kind: ComponentExternalKind, index: u32) {
        match kind {
            ComponentExternalKind::Type => self.push_type(self.type_depth(index)),
            ComponentExternalKind::Instance => self.instances.push(self.instance_depth(index)),
            ComponentExternalKind::Component => self.components.push(self.component(index)),
            ComponentExternalKind::Module => self.modules.push(self.module(index)),
            _ => {}
        }
    }
    fn module(&self, index: u32) -> Option<Weight> {
        self.modules.get(index as usize).copied().flatten()
    }
    fn depth_of(&self, kind: ComponentExternalKind, index: u32) -> u64 {
        match kind {
            ComponentExternalKind::Type => self.type_depth(index),
            ComponentExternalKind::Instance => self.instance_depth(index),
            ComponentExternalKind::Component => self.component(index).depth,
            _ => 0,
        }
    }
}

struct Check<'a> {
    data: &'a [u8],
    limits: &'a Limits,
    needs: Needs,
    scopes: Vec<Scope>,
    /// The module that is read now, and how many values functions of its types take and give.
    module: Option<Weight>,
    signatures: Vec<(u64, u64)>,
    imported_functions: u32,
    /// Of the module. Accepts all that wasmtime might: its only use is to know how many values lie on a function's
    /// stack. Components are not shown to it, since it reads them by recursion.
    validator: Validator,
    allocations: FuncValidatorAllocations,
}

/// A block that is open.
struct Block {
    /// Values that a branch to it carries.
    carried: u64,
    /// 1 if it is a loop.
    loops: u64,
    /// Handlers of exceptions that it has.
    handlers: u64,
}

/// What compiling a function takes beyond its length: wherever control can go two ways, or a call takes the registers,
/// each value that is alive may have to be kept somewhere else. So each such place counts its function's variables and
/// what lies on the stack; a value that a block is handed counts as `PER_CARRIED`; a call whose exceptions are caught
/// counts `PER_HANDLER` times as much for each handler, since it ends a block.
struct Work<'l> {
    limits: &'l Limits,
    variables: u64,
    open: Vec<Block>,
    loops: u64,
    handlers: u64,
    imported_functions: u32,
    /// Bulk instructions since the guest could last be interrupted: at a loop, or where a function of its own begins.
    bulk: u64,
    operators: u64,
    meetings: u64,
    steps: u64,
}

const PER_CARRIED: u64 = 32;
const PER_HANDLER: u64 = 16;

impl Work<'_> {
    fn place(&mut self, height: u64, times: u64) -> Result<()> {
        self.steps = self.steps.saturating_add((self.variables + height + 1).saturating_mul(times));
        match self.steps > self.limits.function_work {
            true => refuse(format!(
                "the component has a function that would take too long to compile: it has too many variables and values \
                 for its branches and calls (more than {} steps, see docs/limits.md)",
                self.limits.function_work
            )),
            false => Ok(()),
        }
    }

    fn enter(&mut self, height: u64, values: (u64, u64), block: Block) -> Result<()> {
        let most = self.limits.block_values;
        if values.0.max(values.1) > most {
            return refuse(format!("the component has a block that takes or gives more than {most} values"));
        }
        self.loops += block.loops;
        if self.loops > self.limits.loops {
            let most = self.limits.loops;
            return refuse(format!("the component has a function with more than {most} loops within loops"));
        }
        self.handlers += block.handlers;
        if self.handlers > self.limits.handlers {
            let most = self.limits.handlers;
            return refuse(format!("the component has a function with more than {most} exception handlers at one place"));
        }
        self.meetings += if block.loops > 0 { 5 } else { 1 };
        self.open.push(block);
        self.place(height + (values.0 + values.1) * PER_CARRIED, 1)
    }

    fn leave(&mut self, height: u64) -> Result<()> {
        let Some(block) = self.open.pop() else { return Ok(()) };
        self.loops -= block.loops;
        self.handlers -= block.handlers;
        self.place(height + block.carried * PER_CARRIED, 1)
    }

    fn branch(&mut self, height: u64, depth: u32) -> Result<()> {
        let at = self.open.len().checked_sub(1 + depth as usize);
        let carried = at.map_or(0, |at| self.open[at].carried);
        self.place(height + carried * PER_CARRIED, 1)
    }

    fn call(&mut self, height: u64) -> Result<()> {
        self.operators += 3;
        self.place(height, 1 + PER_HANDLER * self.handlers)
    }

    fn bulk(&mut self) -> Result<()> {
        self.bulk += 1;
        match self.bulk > self.limits.bulk {
            true => refuse(format!(
                "the component has a function with more than {} instructions like memory.copy in a row, without a loop or \
                 a call between them",
                self.limits.bulk
            )),
            false => Ok(()),
        }
    }

    fn operator(&mut self, operator: &Operator, height: u64, signatures: &[(u64, u64)]) -> Result<()> {
        let values = |ty: &BlockType| match *ty {
            BlockType::Empty => (0, 0),
            BlockType::Type(_) => (0, 1),
            BlockType::FuncType(index) => signatures.get(index as usize).copied().unwrap_or((0, 0)),
        };
        self.operators += 1;
        match operator {
            Operator::Block { blockty } | Operator::If { blockty } => {
                let values = values(blockty);
                self.enter(height, values, Block { carried: values.1, loops: 0, handlers: 0 })
            }
            Operator::Loop { blockty } => {
                let values = values(blockty);
                self.bulk = 0;
                self.enter(height, values, Block { carried: values.0, loops: 1, handlers: 0 })
            }
            Operator::TryTable { try_table } => {
                let values = values(&try_table.ty);
                let handlers = try_table.catches.len() as u64;
                self.enter(height, values, Block { carried: values.1, loops: 0, handlers })
            }
            Operator::Else => {
                self.meetings += 1;
                self.place(height, 1)
            }
            Operator::End => self.leave(height),
            Operator::BrTable { targets } => {
                self.branch(height, targets.default())?;
                for target in targets.targets() {
                    self.branch(height, target?)?;
                }
                Ok(())
            }
            Operator::Br { relative_depth }
            | Operator::BrIf { relative_depth }
            | Operator::BrOnNull { relative_depth }
            | Operator::BrOnNonNull { relative_depth }
            | Operator::BrOnCast { relative_depth, .. }
            | Operator::BrOnCastFail { relative_depth, .. } => self.branch(height, *relative_depth),
            Operator::Call { function_index } => {
                if *function_index >= self.imported_functions {
                    self.bulk = 0;
                }
                self.call(height)
            }
            Operator::CallIndirect { .. } | Operator::CallRef { .. } => self.call(height),
            Operator::MemoryFill { .. }
            | Operator::MemoryCopy { .. }
            | Operator::MemoryInit { .. }
            | Operator::MemoryGrow { .. }
            | Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. }
            | Operator::TableGrow { .. }
            | Operator::ArrayFill { .. }
            | Operator::ArrayCopy { .. }
            | Operator::ArrayNew { .. }
            | Operator::ArrayNewDefault { .. } => self.bulk(),
            _ => Ok(()),
        }
    }
}

fn refuse<T>(text: String) -> Result<T> {
    Err(Error::msg(text))
}

impl<'a> Check<'a> {
    fn top(&mut self) -> &mut Scope {
        self.scopes.last_mut().expect("a scope is open")
    }

    fn count(&mut self, items: u64) -> Result<()> {
        self.needs.items = self.needs.items.saturating_add(items);
        if self.needs.items > self.limits.items {
            return refuse(format!("the component has more than {} types, imports and exports", self.limits.items));
        }
        Ok(())
    }

    fn count_core(&mut self, items: u64, bytes_each: u64) -> Result<()> {
        self.needs.core_items = self.needs.core_items.saturating_add(items);
        if self.needs.core_items > self.limits.core_items {
            let most = self.limits.core_items;
            return refuse(format!("the component's modules have more than {most} functions, types and the like"));
        }
        if let Some(module) = &mut self.module {
            module.bytes = module.bytes.saturating_add(items.saturating_mul(bytes_each));
        }
        Ok(())
    }

    fn deep_enough(&self, depth: u64) -> Result<()> {
        match depth > self.limits.depth {
            true => refuse(format!("the component is nested more than {} levels deep", self.limits.depth)),
            false => Ok(()),
        }
    }

    fn open(&mut self, scope: Scope) -> Result<()> {
        self.scopes.push(scope);
        self.deep_enough(self.scopes.len() as u64 - 1)
    }

    /// The types of a section: what wasmparser reads by recursion is read one declaration after the other.
    fn types(&mut self, range: std::ops::Range<usize>) -> Result<()> {
        let data = self.data.get(range.clone()).unwrap_or(&[]);
        let mut reader = BinaryReader::new(data, range.start);
        let outermost = self.scopes.len();
        for _ in 0..reader.read_var_u32()? {
            self.one_type(&mut reader)?;
            while self.scopes.len() > outermost {
                self.declaration(&mut reader)?;
            }
        }
        Ok(())
    }

    fn one_type(&mut self, reader: &mut BinaryReader<'a>) -> Result<()> {
        self.count(1)?;
        let kind = reader.clone().read_u8()?;
        if kind == 0x41 || kind == 0x42 {
            reader.read_u8()?;
            let left = reader.read_var_u32()?;
            return self.open(Scope { left, is_component_type: kind == 0x41, ..Scope::default() });
        }
        let ty: ComponentType = reader.read()?;
        // Nothing in it is nested: validation has its own limit for what values consist of, and counts as it goes.
        let depth = if matches!(ty, ComponentType::Resource { .. }) { 1 } else { 2 };
        self.top().push_type(depth);
        Ok(())
    }

    fn declaration(&mut self, reader: &mut BinaryReader<'a>) -> Result<()> {
        if self.top().left == 0 {
            return self.close_type();
        }
        self.top().left -= 1;
        let is_component_type = self.top().is_component_type;
        match reader.read_u8()? {
            0x00 => {
                reader.read::<CoreType>()?;
            }
            0x01 => return self.one_type(reader),
            0x02 => self.alias(reader.read()?),
            0x03 if is_component_type => self.top().declare(&reader.read::<wasmparser::ComponentImport>()?.ty),
            0x04 => {
                reader.read::<wasmparser::ComponentExternName>()?;
                let ty = reader.read()?;
                self.top().declare(&ty);
            }
            byte => return refuse(format!("not a component: no declaration begins with {byte:#x}")),
        }
        self.count(1)
    }

    fn close_type(&mut self) -> Result<()> {
        let depth = self.scopes.pop().map_or(0, |s| s.deepest) + 1;
        self.top().push_type(depth);
        self.deep_enough(depth)
    }

    fn alias(&mut self, alias: ComponentAlias) {
        match alias {
            ComponentAlias::InstanceExport { kind, instance_index, .. } => {
                let depth = self.top().instance_depth(instance_index);
                match kind {
                    ComponentExternalKind::Type => self.top().types.push(depth),
                    ComponentExternalKind::Instance => self.top().instances.push(depth),
                    ComponentExternalKind::Component => self.top().components.push(Inner { depth, weight: None }),
                    ComponentExternalKind::Module => self.top().modules.push(None),
                    _ => {}
                }
            }
            ComponentAlias::Outer { kind, count, index } => {
                let Some(at) = self.scopes.len().checked_sub(1 + count as usize) else { return };
                let outer = &self.scopes[at];
                match kind {
                    ComponentOuterAliasKind::Type => {
                        let depth = outer.type_depth(index);
                        self.top().push_type(depth);
                    }
                    ComponentOuterAliasKind::Component => {
                        let inner = outer.component(index);
                        self.top().components.push(inner);
                    }
                    ComponentOuterAliasKind::CoreModule => {
                        let module = outer.module(index);
                        self.top().modules.push(module);
                    }
                    ComponentOuterAliasKind::CoreType => {}
                }
            }
            ComponentAlias::CoreInstanceExport { .. } => {}
        }
    }

    fn instance(&mut self, instance: ComponentInstance) -> Result<()> {
        match instance {
            ComponentInstance::Instantiate { component_index, args } => {
                self.count(1 + args.len() as u64)?;
                let inner = self.top().component(component_index);
                let Some(weight) = inner.weight else {
                    return refuse("the component instantiates a component that it is handed: not served".into());
                };
                let depth = args.iter().map(|a| self.scopes[self.scopes.len() - 1].depth_of(a.kind, a.index)).max();
                let depth = self.top().saw(inner.depth.max(depth.unwrap_or(0)));
                self.top().instances.push(depth);
                self.instantiated(weight)
            }
            ComponentInstance::FromExports(exports) => {
                self.count(1 + exports.len() as u64)?;
                let top = self.top();
                let depth = exports.iter().map(|e| top.depth_of(e.kind, e.index)).max().unwrap_or(0) + 1;
                top.saw(depth);
                top.instances.push(depth);
                self.deep_enough(depth)
            }
        }
    }

    fn instantiated(&mut self, mut weight: Weight) -> Result<()> {
        weight.instances = weight.instances.saturating_add(1);
        self.top().weight.add(weight);
        if self.top().weight.instances > self.limits.instances {
            return refuse(format!("the component consists of more than {} instances", self.limits.instances));
        }
        Ok(())
    }

    fn core_instance(&mut self, instance: Instance) -> Result<()> {
        match instance {
            Instance::Instantiate { module_index, args } => {
                self.count(1 + args.len() as u64)?;
                // One that was handed over cannot have more in it than fits the file.
                let most = Weight { instances: 0, bytes: (self.data.len() as u64).saturating_mul(16) };
                let module = self.top().module(module_index).unwrap_or(most);
                self.instantiated(module)
            }
            Instance::FromExports(exports) => self.count(1 + exports.len() as u64),
        }
    }

    fn begin(&mut self, encoding: Encoding) -> Result<()> {
        match encoding {
            Encoding::Component => self.open(Scope::default()),
            Encoding::Module => {
                self.module = Some(Weight { instances: 0, bytes: 1024 });
                self.signatures.clear();
                self.imported_functions = 0;
                self.validator = Validator::new_with_features(WasmFeatures::all());
                Ok(())
            }
        }
    }

    fn end(&mut self) {
        if let Some(module) = self.module.take() {
            if let Some(scope) = self.scopes.last_mut() {
                scope.modules.push(Some(module));
            }
            return;
        }
        let Some(scope) = self.scopes.pop() else { return };
        let inner = Inner { depth: scope.deepest + 1, weight: Some(scope.weight) };
        match self.scopes.last_mut() {
            Some(outer) => {
                outer.saw(inner.depth);
                outer.components.push(inner);
            }
            None => {
                self.needs.instances = scope.weight.instances;
                self.needs.instance_bytes = scope.weight.bytes;
            }
        }
    }

    /// Interfaces of WASI 0.3 at the top would end as a parser's remark about asynchronous functions.
    fn judge_name(&self, name: &str) -> Result<()> {
        let later = name.starts_with("wasi:") && name.split_once('@').is_some_and(|(_, v)| v.starts_with("0.3."));
        match later && self.scopes.len() == 1 {
            true => refuse(format!(
                "{name} is of WASI 0.3, which is not served: build the component for WASI 0.2 (any 0.2.x)"
            )),
            false => Ok(()),
        }
    }

    fn component_payload(&mut self, payload: &Payload<'a>) -> Result<()> {
        match payload {
            Payload::ComponentTypeSection(section) => self.types(section.range())?,
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    let import = import?;
                    self.judge_name(import.name.name)?;
                    self.count(1)?;
                    self.top().declare(&import.ty);
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    let export = export?;
                    self.judge_name(export.name.name)?;
                    self.count(1)?;
                    self.top().export(export.kind, export.index);
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    self.count(1)?;
                    self.alias(alias?);
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section.clone() {
                    self.instance(instance?)?;
                }
            }
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    self.core_instance(instance?)?;
                }
            }
            Payload::CoreTypeSection(section) => self.count(section.count().into())?,
            Payload::ComponentCanonicalSection(section) => self.count(section.count().into())?,
            _ => {}
        }
        Ok(())
    }

    fn module_types(&mut self, section: wasmparser::TypeSectionReader<'a>) -> Result<()> {
        self.count_core(section.count().into(), 0)?;
        for group in section {
            for ty in group?.types() {
                self.signatures.push(match &ty.composite_type.inner {
                    CompositeInnerType::Func(func) => (func.params().len() as u64, func.results().len() as u64),
                    _ => (0, 0),
                });
            }
        }
        Ok(())
    }

    fn imports(&mut self, section: wasmparser::ImportSectionReader<'a>) -> Result<()> {
        self.count_core(section.count().into(), 32)?;
        for import in section.into_imports() {
            self.imported_functions += u32::from(matches!(import?.ty, TypeRef::Func(_) | TypeRef::FuncExact(_)));
        }
        Ok(())
    }

    fn function(&mut self, body: &FunctionBody<'a>) -> Result<()> {
        let size = body.range().len() as u64;
        if size > self.limits.function_bytes {
            let most = self.limits.function_bytes;
            return refuse(format!("the component has a function of {size} bytes: at most {most}"));
        }
        self.needs.code_bytes = self.needs.code_bytes.saturating_add(size);
        self.needs.functions += 1;
        Ok(())
    }

    /// What compiling the function takes.
    fn work(&mut self, function: FuncToValidate<ValidatorResources>, body: &FunctionBody<'a>) -> Result<()> {
        let values = self.signatures.get(function.ty as usize).copied().unwrap_or((0, 0));
        let mut validator = function.into_validator(std::mem::take(&mut self.allocations));
        let work = self.operators(&mut validator, values, body)?;
        self.allocations = validator.into_allocations();
        let needs = &mut self.needs;
        needs.largest_function = needs.largest_function.max(work.operators);
        needs.largest_graph = needs.largest_graph.max(work.variables.saturating_mul(work.meetings));
        needs.largest_work = needs.largest_work.max(work.steps);
        needs.work = needs.work.saturating_add(work.steps);
        match needs.work > self.limits.work {
            true => refuse(format!(
                "the component would take too long to compile (more than {} steps, see docs/limits.md)",
                self.limits.work
            )),
            false => Ok(()),
        }
    }

    fn operators(
        &self,
        validator: &mut FuncValidator<ValidatorResources>,
        values: (u64, u64),
        body: &FunctionBody<'a>,
    ) -> Result<Work<'a>> {
        let mut reader = body.get_binary_reader();
        validator.read_locals(&mut reader)?;
        let mut work = Work {
            limits: self.limits,
            variables: validator.len_locals().into(),
            open: vec![Block { carried: values.1, loops: 0, handlers: 0 }],
            loops: 0,
            handlers: 0,
            imported_functions: self.imported_functions,
            bulk: 0,
            operators: 0,
            meetings: 1,
            steps: 0,
        };
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset()?;
            work.operator(&operator, validator.operand_stack_height().into(), &self.signatures)?;
            validator.op(offset, &operator)?;
        }
        Ok(work)
    }

    /// How much of an instance each item takes: see wasmtime's VMContext.
    fn module_payload(&mut self, payload: &Payload<'a>) -> Result<()> {
        match payload {
            Payload::TypeSection(s) => self.module_types(s.clone()),
            Payload::ImportSection(s) => self.imports(s.clone()),
            Payload::FunctionSection(s) => self.count_core(s.count().into(), 32),
            Payload::TableSection(s) => self.count_core(s.count().into(), 64),
            Payload::MemorySection(s) => self.count_core(s.count().into(), 512),
            Payload::TagSection(s) => self.count_core(s.count().into(), 16),
            Payload::GlobalSection(s) => self.count_core(s.count().into(), 16),
            Payload::ExportSection(s) => self.count_core(s.count().into(), 0),
            Payload::ElementSection(s) => self.count_core(s.count().into(), 16),
            Payload::DataSection(s) => self.count_core(s.count().into(), 16),
            Payload::CodeSectionEntry(body) => self.function(body),
            _ => Ok(()),
        }
    }

    fn run(&mut self) -> Result<()> {
        for payload in Parser::new(0).parse_all(self.data) {
            let payload = payload?;
            let begins = matches!(payload, Payload::Version { encoding: Encoding::Module, .. });
            let of_module = begins || self.module.is_some();
            match &payload {
                Payload::Version { encoding: Encoding::Module, .. } if self.scopes.is_empty() => {
                    return refuse(core_module(self.data));
                }
                Payload::Version { encoding, .. } => self.begin(*encoding)?,
                Payload::End(_) => self.end(),
                payload if self.module.is_some() => self.module_payload(payload)?,
                payload => self.component_payload(payload)?,
            }
            if !of_module {
                continue;
            }
            if let ValidPayload::Func(function, body) = self.validator.payload(&payload)? {
                self.work(function, &body)?;
            }
        }
        Ok(())
    }
}

/// What to do with a module instead.
fn core_module(data: &[u8]) -> String {
    let preview1 = |payload: wasmparser::Result<Payload<'_>>| match payload {
        Ok(Payload::ImportSection(section)) => section.into_imports().any(|import| {
            import.is_ok_and(|i| matches!(i.ty, TypeRef::Func(_)) && i.module.starts_with("wasi_"))
        }),
        _ => false,
    };
    let adapter = "wasm-tools component new, or jco new, with the adapter from wasi_snapshot_preview1";
    match Parser::new(0).parse_all(data).take_while(|p| p.is_ok()).any(preview1) {
        true => format!("this is a module of WASI preview 1, not a component: make one of it with {adapter}"),
        false => "this is a core module, not a component: make one of it with wasm-tools component new".into(),
    }
}

/// Refuses what is beyond the limits, and says what the rest needs.
///
/// # Safety
/// `data` points to `size` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn enclave_component_check(
    data: *const u8,
    size: usize,
    limits: &Limits,
    needs: &mut Needs,
) -> Option<Box<wasmtime_error_t>> {
    let data = unsafe { std::slice::from_raw_parts(data, size) };
    let mut check = Check {
        data,
        limits,
        needs: Needs::default(),
        scopes: Vec::new(),
        module: None,
        signatures: Vec::new(),
        imported_functions: 0,
        validator: Validator::new_with_features(WasmFeatures::all()),
        allocations: FuncValidatorAllocations::default(),
    };
    match check.run() {
        Ok(()) => {
            *needs = check.needs;
            None
        }
        Err(error) => Some(Box::new(error.into())),
    }
}
