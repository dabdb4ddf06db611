//! Bends a parsed template so that the engine does what Go does where it would do something else.
//!
//! The engine knows neither structs nor typed maps, and it prints numbers its own way. So before a template is first used,
//! its tree is changed: every field access becomes a call of [`FIELD`] (which decides what a missing key is, and is
//! the place where methods go that notification templates call), and what an action writes goes through [`PRINT`].

use gotmpl::parse::{ActionNode, BranchNode, CommandNode, Expr, ListNode, Node, PipeNode, Pos, SmolStr};

/// `FIELD value "a.b" argument…`: the field `b` of the field `a` of a value.
pub(crate) const FIELD: &str = "__field";
/// `PRINT value`: the value as Go prints it.
pub(crate) const PRINT: &str = "__print";

/// The names that a template uses.
#[derive(Debug)]
pub(crate) struct Names {
    /// Every function that it calls.
    pub(crate) functions: Vec<String>,
    /// The first variable that it uses without declaring it, and the byte where it does.
    pub(crate) undefined_variable: Option<(SmolStr, usize)>,
    /// The variables that can be seen at this point, those of inner blocks last.
    visible: Vec<SmolStr>,
}

impl Names {
    fn call(&mut self, function: &str) {
        self.functions.push(function.to_owned());
    }

    fn variable(&mut self, pos: Pos, name: &SmolStr) {
        if self.undefined_variable.is_none() && !self.visible.contains(name) {
            self.undefined_variable = Some((name.clone(), pos.offset));
        }
    }
}

/// Rewrites a tree in place and tells the names that it uses.
pub(crate) fn rewrite(tree: &mut ListNode) -> Names {
    let mut names = Names { functions: Vec::new(), undefined_variable: None, visible: vec![SmolStr::new("$")] };
    rewrite_list(tree, &mut names);
    names
}

fn rewrite_list(list: &mut ListNode, names: &mut Names) {
    for node in &mut list.nodes {
        match node {
            Node::List(inner) => rewrite_list(inner, names),
            Node::Action(action) => rewrite_action(action, names),
            Node::If(branch) | Node::Range(branch) | Node::With(branch) => rewrite_branch(branch, names),
            Node::Template(call) => {
                if let Some(pipe) = &mut call.pipe {
                    rewrite_pipe(pipe, names);
                }
            }
            // The parser hands definitions over separately.
            Node::Define(_) | Node::Text(_) | Node::Break(_) | Node::Continue(_) => {}
        }
    }
}

fn rewrite_action(action: &mut ActionNode, names: &mut Names) {
    rewrite_pipe(&mut action.pipe, names);
    if action.pipe.decl.is_empty() {
        action.pipe.commands.push(command(action.pos, vec![identifier(action.pos, PRINT)]));
    }
}

fn rewrite_branch(branch: &mut BranchNode, names: &mut Names) {
    let outside = names.visible.len();
    rewrite_pipe(&mut branch.pipe, names);
    let inside = names.visible.len();
    rewrite_list(&mut branch.body, names);
    names.visible.truncate(inside);
    if let Some(other) = &mut branch.else_body {
        rewrite_list(other, names);
    }
    names.visible.truncate(outside);
}

fn rewrite_pipe(pipe: &mut PipeNode, names: &mut Names) {
    for name in &pipe.decl {
        if pipe.is_assign { names.variable(pipe.pos, name) } else { names.visible.push(name.clone()) }
    }
    for (position, command) in pipe.commands.iter_mut().enumerate() {
        rewrite_command(command, position > 0, names);
    }
}

/// A field at the head of a command takes the command's arguments, and what is piped into it, as a method would.
fn rewrite_command(command: &mut CommandNode, piped: bool, names: &mut Names) {
    let mut args = std::mem::take(&mut command.args).into_iter();
    let Some(head) = args.next() else { return };
    let rest: Vec<Expr> = args.map(|arg| rewrite_expr(arg, names)).collect();
    command.args = match head {
        Expr::Identifier(_, ref name) => {
            names.call(name);
            vec![head]
        }
        // `name.field`: the arguments belong to the function, the field to its result.
        Expr::Chain(pos, inner, fields) if !piped && matches!(*inner, Expr::Identifier(..)) => {
            let mut call = vec![*inner];
            call.extend(rest);
            let mut call =
                PipeNode { pos, decl: Vec::new(), commands: vec![self::command(pos, call)], is_assign: false };
            rewrite_pipe(&mut call, names);
            command.args = field_call(pos, Expr::Pipe(pos, call), &fields);
            return;
        }
        other => match split_fields(other) {
            Ok((pos, receiver, fields)) => field_call(pos, rewrite_expr(receiver, names), &fields),
            Err(other) => vec![rewrite_expr(other, names)],
        },
    };
    command.args.extend(rest);
}

fn rewrite_expr(expr: Expr, names: &mut Names) -> Expr {
    match expr {
        Expr::Pipe(pos, mut pipe) => {
            rewrite_pipe(&mut pipe, names);
            Expr::Pipe(pos, pipe)
        }
        Expr::Identifier(pos, name) => {
            names.call(&name);
            Expr::Identifier(pos, name)
        }
        Expr::Variable(pos, name, fields) if fields.is_empty() => {
            names.variable(pos, &name);
            Expr::Variable(pos, name, fields)
        }
        other => match split_fields(other) {
            Ok((pos, receiver, fields)) => {
                let call = field_call(pos, rewrite_expr(receiver, names), &fields);
                let commands = vec![command(pos, call)];
                Expr::Pipe(pos, PipeNode { pos, decl: Vec::new(), commands, is_assign: false })
            }
            Err(other) => other,
        },
    }
}

/// A field access as its receiver and its fields; any other expression comes back as it is.
fn split_fields(expr: Expr) -> Result<(Pos, Expr, Vec<SmolStr>), Expr> {
    match expr {
        Expr::Field(pos, fields) => Ok((pos, Expr::Dot(pos), fields)),
        Expr::Variable(pos, name, fields) if !fields.is_empty() => {
            Ok((pos, Expr::Variable(pos, name, Vec::new()), fields))
        }
        Expr::Chain(pos, inner, fields) => Ok((pos, *inner, fields)),
        other => Err(other),
    }
}

fn field_call(pos: Pos, receiver: Expr, fields: &[SmolStr]) -> Vec<Expr> {
    vec![identifier(pos, FIELD), receiver, Expr::String(pos, fields.join(".").into())]
}

fn identifier(pos: Pos, name: &str) -> Expr {
    Expr::Identifier(pos, SmolStr::new(name))
}

fn command(pos: Pos, args: Vec<Expr>) -> CommandNode {
    CommandNode { pos, args }
}
