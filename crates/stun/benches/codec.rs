//! What parsing, verifying and building cost.

fn main() {}
