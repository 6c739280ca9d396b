//! The program with the allocator of the system.

fn main() -> anyhow::Result<()> {
    peers::main(None)
}
