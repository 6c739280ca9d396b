//! How long a file may be before it wants another room.

use super::{Source, at};

pub(super) fn check(source: &Source) -> Option<String> {
    let lines = source.code().count();
    let too_long = !source.is_test() && lines > FILE;
    too_long.then(|| {
        at(
            source,
            lines,
            &format!("{lines} lines without tests, more than {FILE}"),
        )
    })
}

const FILE: usize = 800;
