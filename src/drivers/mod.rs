//! Docker and containerd as state machines that emit commands, over the model and a real pool alike.

pub mod tar;

use crate::pools::{Command, Printed, Session, Unavailable};

/// The drivers of one trace, with what each remembers between steps.
#[derive(Debug, Default)]
pub struct Drivers {}

impl Drivers {
    /// Whether steps that start with this word are a driver's.
    #[must_use]
    pub fn knows(name: &str) -> bool {
        matches!(name, "docker" | "containerd")
    }

    /// Runs a driver's step on top of a session.
    pub fn run(
        &mut self,
        _session: &mut dyn Session,
        command: &Command,
    ) -> Result<Printed, Unavailable> {
        let line = format!(
            "ztwin: '{}' is no step of a driver yet",
            command.words.join(" ")
        );
        Ok(Printed::failed(&line, 2))
    }
}
