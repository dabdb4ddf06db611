//! The modules of a crate, from its root file down.

use std::path::{Path, PathBuf};

use crate::report::Finding;
use crate::tidy::test_code::is_for_tests;
use crate::tidy::tree::Tree;

/// Position of a module in its [`CrateTree`]; the crate's root is 0.
pub(crate) type ModuleId = usize;

pub(crate) const ROOT: ModuleId = 0;

/// A module: a file, or a `mod name { … }` inside one.
pub(crate) struct Module<'t> {
    pub(crate) parent: Option<ModuleId>,
    pub(crate) name: String,
    pub(crate) items: &'t [syn::Item],
    file: PathBuf,
    /// Where the files of this module's children are.
    folder: PathBuf,
}

/// The modules of a crate that exist outside tests.
pub(crate) struct CrateTree<'t> {
    pub(crate) modules: Vec<Module<'t>>,
    /// Modules that can't be followed.
    pub(crate) findings: Vec<Finding>,
}

impl<'t> CrateTree<'t> {
    /// Follows the `mod` declarations from the file `root`.
    pub(crate) fn load(tree: &'t Tree, root: &Path) -> Self {
        let mut crate_tree = Self { modules: Vec::new(), findings: Vec::new() };
        let folder = root.parent().unwrap_or(Path::new("")).to_path_buf();
        if let Some(Ok(file)) = tree.source(root).and_then(|source| source.syntax.as_ref()) {
            let name = crate_name(root);
            crate_tree.add(tree, Module { parent: None, name, items: &file.items, file: root.to_path_buf(), folder });
        }
        crate_tree
    }

    fn add(&mut self, tree: &'t Tree, module: Module<'t>) {
        let id = self.modules.len();
        let (items, file, folder) = (module.items, module.file.clone(), module.folder.clone());
        self.modules.push(module);
        for item in items {
            let syn::Item::Mod(child) = item else { continue };
            if is_for_tests(&child.attrs) {
                continue;
            }
            let name = child.ident.to_string();
            let child_folder = folder.join(&name);
            let found = match &child.content {
                Some((_, items)) => Some((items.as_slice(), file.clone())),
                None => find_file(tree, &folder, &name),
            };
            let Some((items, child_file)) = found else {
                let message = format!("no file for the module {name}, or it doesn't parse");
                self.findings.push(Finding::error(&file, child.ident.span().start().line, message));
                continue;
            };
            self.add(tree, Module { parent: Some(id), name, items, file: child_file, folder: child_folder });
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.modules.len()
    }

    pub(crate) fn file(&self, id: ModuleId) -> &Path {
        &self.modules[id].file
    }

    /// The full name: `tsdb::head::series`.
    pub(crate) fn name(&self, id: ModuleId) -> String {
        let module = &self.modules[id];
        match module.parent {
            Some(parent) => format!("{}::{}", self.name(parent), module.name),
            None => module.name.clone(),
        }
    }

    pub(crate) fn child(&self, parent: ModuleId, name: &str) -> Option<ModuleId> {
        self.modules.iter().position(|module| module.parent == Some(parent) && module.name == name)
    }

    /// Whether `id` lies below `ancestor`.
    pub(crate) fn is_below(&self, id: ModuleId, ancestor: ModuleId) -> bool {
        match self.modules[id].parent {
            Some(parent) => parent == ancestor || self.is_below(parent, ancestor),
            None => false,
        }
    }
}

/// `name.rs` or `name/mod.rs` below `folder`.
fn find_file<'t>(tree: &'t Tree, folder: &Path, name: &str) -> Option<(&'t [syn::Item], PathBuf)> {
    let candidates = [folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")];
    candidates.into_iter().find_map(|path| match tree.source(&path)?.syntax.as_ref()? {
        Ok(file) => Some((file.items.as_slice(), path)),
        Err(_) => None,
    })
}

/// The folder that holds `src`.
fn crate_name(root: &Path) -> String {
    let mut folders = root.ancestors().skip_while(|folder| !folder.ends_with("src"));
    let folder = folders.nth(1).and_then(Path::file_name);
    folder.map_or_else(|| "crate".to_owned(), |name| name.to_string_lossy().into_owned())
}
