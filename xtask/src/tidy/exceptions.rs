//! What the checks do not ask of some places yet.

use super::finding::Finding;

/// A check that a place does not pass yet.
#[derive(Debug, Clone, Copy)]
struct Exception {
    check: &'static str,
    /// A file, or what the paths of several begin with.
    place: &'static str,
}

/// The findings that no exception excuses, and one for each exception that excuses nothing: the list can only shrink.
pub(super) fn applied(findings: Vec<Finding>) -> Vec<Finding> {
    sift(EXCEPTIONS, findings)
}

fn sift(exceptions: &[Exception], findings: Vec<Finding>) -> Vec<Finding> {
    let idle = exceptions.iter().filter(|exception| {
        let mut excused = findings.iter().filter(|finding| exception.excuses(finding));
        excused.next().is_none()
    });
    let idle: Vec<_> = idle
        .map(|exception| {
            let what = format!(
                "«{}» holds for {}: its exception can go",
                exception.check, exception.place
            );
            Finding::of("exceptions", "xtask/src/tidy/exceptions.rs", what)
        })
        .collect();
    let mut left = findings;
    left.retain(|finding| {
        !exceptions
            .iter()
            .any(|exception| exception.excuses(finding))
    });
    left.extend(idle);
    left
}

impl Exception {
    fn excuses(&self, finding: &Finding) -> bool {
        self.check == finding.check && finding.path.starts_with(self.place)
    }
}

const fn except(check: &'static str, place: &'static str) -> Exception {
    Exception { check, place }
}

/// A line each. Each goes with the next work on its crate.
const EXCEPTIONS: &[Exception] = &[except("circles", "crates/dtls/")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_excuses_its_check_at_its_place_and_goes_when_it_excuses_nothing() {
        let exceptions = [except("sizes", "crates/x/"), except("circles", "crates/y/")];
        let excused = Finding::of("sizes", "crates/x/src/a.rs", "too long");
        let other_check = Finding::of("integers", "crates/x/src/a.rs", "to_be_bytes");
        let other_place = Finding::of("sizes", "crates/y/src/a.rs", "too long");
        let findings = vec![excused, other_check.clone(), other_place.clone()];
        let left = sift(&exceptions, findings);
        assert_eq!(left[..2], [other_check, other_place]);
        assert_eq!(left.len(), 3);
        assert!(left[2].what.contains("«circles» holds for crates/y/"));
    }
}
