//! The addresses of this machine.

use std::io;

use crate::Interface;

/// The interfaces that are up, one entry an address.
///
/// # Errors
///
/// Those of the system.
pub(super) fn list() -> io::Result<Vec<Interface>> {
    let mut found = Vec::new();
    for interface in if_addrs::get_if_addrs()? {
        if !interface.is_oper_up() && !interface.is_loopback() {
            continue;
        }
        found.push(Interface {
            address: interface.ip(),
            index: interface.index.unwrap_or_default(),
            name: interface.name,
        });
    }
    Ok(found)
}
