//! What a name means inside a module: resolution of paths to the module that defines the item.

use std::collections::{HashMap, HashSet};

use syn::visit::Visit;

use crate::tidy::modules::crate_tree::{CrateTree, ModuleId, ROOT};
use crate::tidy::test_code::is_for_tests;

/// Imports of imports deeper than this are a loop, as `use serde::de as serde` is to a reader of names alone.
const DEPTH_MAX: usize = 32;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Module(ModuleId),
    /// An item, by the module that defines it.
    ItemIn(ModuleId),
    /// Another crate, a local variable, a generic parameter.
    Elsewhere,
}

/// One name, or one `*`, brought in by a `use`.
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    /// `None` for a glob.
    pub(crate) name: Option<String>,
    pub(crate) line: usize,
}

/// Names of one module.
#[derive(Default)]
struct Scope {
    defined: HashSet<String>,
    imported: HashMap<String, Vec<String>>,
    /// Modules whose names are all brought in.
    globs: Vec<ModuleId>,
}

/// Names of every module of a crate.
pub(crate) struct Scopes<'t> {
    tree: &'t CrateTree<'t>,
    scopes: Vec<Scope>,
    /// `#[macro_export]` macros are named from the root, wherever they stand.
    exported_macros: HashMap<String, ModuleId>,
}

impl<'t> Scopes<'t> {
    pub(crate) fn of(tree: &'t CrateTree<'t>) -> Self {
        let mut scopes = Self { tree, scopes: Vec::new(), exported_macros: HashMap::new() };
        let mut globs = Vec::new();
        for (id, module) in tree.modules.iter().enumerate() {
            let mut uses = Uses { id, scope: Scope::default(), globs: &mut globs };
            for item in module.items {
                uses.visit_item(item);
                uses.scope.defined.extend(defined_name(item));
                scopes.exported_macros.extend(exported_macro(item).map(|name| (name, id)));
            }
            scopes.scopes.push(uses.scope);
        }
        // Globs last: their paths are made of the names above.
        for (id, path) in globs {
            if let Target::Module(module) = scopes.resolve(id, &path) {
                scopes.scopes[id].globs.push(module);
            }
        }
        scopes
    }

    /// Follows `path` as written in the module `from`.
    pub(crate) fn resolve(&self, from: ModuleId, path: &[String]) -> Target {
        self.resolve_within(from, path, DEPTH_MAX)
    }

    fn resolve_within(&self, from: ModuleId, path: &[String], depth: usize) -> Target {
        let Some((first, rest)) = path.split_first() else { return Target::Module(from) };
        if depth == 0 {
            return Target::Elsewhere;
        }
        let mut target = match first.as_str() {
            "crate" | "$crate" => Target::Module(ROOT),
            "self" => Target::Module(from),
            "super" => self.parent(from),
            name => self.look_up(from, name, rest.is_empty(), depth).unwrap_or(Target::Elsewhere),
        };
        for (index, segment) in rest.iter().enumerate() {
            let Target::Module(module) = target else { break };
            target = match segment.as_str() {
                "self" => target,
                "super" => self.parent(module),
                // A name that can't be seen (made by a macro) belongs to the module it is asked of.
                name => self.look_up(module, name, index + 1 == rest.len(), depth).unwrap_or(Target::ItemIn(module)),
            };
        }
        target
    }

    fn parent(&self, module: ModuleId) -> Target {
        self.tree.modules[module].parent.map_or(Target::Elsewhere, Target::Module)
    }

    /// What `name` means in a module, by itself or through its globs. `last` says that the path ends with it.
    fn look_up(&self, module: ModuleId, name: &str, last: bool, depth: usize) -> Option<Target> {
        let mut open = vec![module];
        let mut seen = HashSet::new();
        while let Some(next) = open.pop() {
            if seen.insert(next) {
                let found = self.look_up_without_globs(next, name, last, depth);
                if found.is_some() {
                    return found;
                }
                open.extend(&self.scopes[next].globs);
            }
        }
        let exported = if module == ROOT { self.exported_macros.get(name) } else { None };
        exported.copied().map(Target::ItemIn)
    }

    /// A module and a function may share a name: at the end of a path the function is meant, before it the module.
    fn look_up_without_globs(&self, module: ModuleId, name: &str, last: bool, depth: usize) -> Option<Target> {
        let scope = &self.scopes[module];
        let child = self.tree.child(module, name).map(Target::Module);
        let item = || scope.defined.contains(name).then_some(Target::ItemIn(module));
        let import = || Some(self.resolve_within(module, scope.imported.get(name)?, depth - 1));
        if last { item().or_else(import).or(child) } else { child.or_else(import).or_else(item) }
    }
}

fn defined_name(item: &syn::Item) -> Option<String> {
    let ident = match item {
        syn::Item::Const(item) => &item.ident,
        syn::Item::Enum(item) => &item.ident,
        syn::Item::Fn(item) => &item.sig.ident,
        syn::Item::Macro(item) => item.ident.as_ref()?,
        syn::Item::Static(item) => &item.ident,
        syn::Item::Struct(item) => &item.ident,
        syn::Item::Trait(item) => &item.ident,
        syn::Item::TraitAlias(item) => &item.ident,
        syn::Item::Type(item) => &item.ident,
        syn::Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

fn exported_macro(item: &syn::Item) -> Option<String> {
    let syn::Item::Macro(definition) = item else { return None };
    let exported = definition.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export"));
    exported.then(|| defined_name(item)).flatten()
}

/// Collects the `use` declarations of a module, those inside function bodies too.
struct Uses<'g> {
    id: ModuleId,
    scope: Scope,
    globs: &'g mut Vec<(ModuleId, Vec<String>)>,
}

impl<'ast> Visit<'ast> for Uses<'_> {
    fn visit_item_mod(&mut self, _: &'ast syn::ItemMod) {}

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for import in imports(item) {
            match import.name {
                Some(name) => {
                    self.scope.imported.insert(name, import.path);
                }
                None => self.globs.push((self.id, import.path)),
            }
        }
    }
}

/// The names that a `use` brings in; none if it is for tests or names another crate with a leading `::`.
pub(crate) fn imports(item: &syn::ItemUse) -> Vec<Import> {
    let mut found = Vec::new();
    if item.leading_colon.is_none() && !is_for_tests(&item.attrs) {
        flatten(&item.tree, &mut Vec::new(), &mut found);
    }
    found
}

fn flatten(tree: &syn::UseTree, prefix: &mut Vec<String>, found: &mut Vec<Import>) {
    match tree {
        syn::UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            flatten(&path.tree, prefix, found);
            prefix.pop();
        }
        syn::UseTree::Name(name) => found.push(import(prefix, &name.ident, &name.ident)),
        syn::UseTree::Rename(rename) => found.push(import(prefix, &rename.ident, &rename.rename)),
        syn::UseTree::Glob(glob) => {
            let line = glob.star_token.spans[0].start().line;
            found.push(Import { path: prefix.clone(), name: None, line });
        }
        syn::UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, prefix, found)),
    }
}

/// `use a::{self}` names `a` itself.
fn import(prefix: &[String], last: &syn::Ident, name: &syn::Ident) -> Import {
    let mut path = prefix.to_vec();
    if last != "self" || path.is_empty() {
        path.push(last.to_string());
    }
    let name = if name == "self" { path.last().cloned() } else { Some(name.to_string()) };
    Import { path, name, line: last.span().start().line }
}
