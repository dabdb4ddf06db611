//! Rule files and rule groups, over a real database and the real engine.

mod files;
mod manager;
mod node;
mod restart;
