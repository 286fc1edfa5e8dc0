//! The guest's arm: real OpenZFS in a QEMU guest that ztwin built.
//!
//! One guest stays up for many traces. A trace goes in as one message; its outcomes stream back. When
//! the guest's kernel panics, the running step's outcome is [`End::Panic`] with the console's last
//! lines on its standard error, and it is the trace's last: the next trace gets a new guest.

use ztwin_model::Release;

use super::{Blobs, Command, End, Pools, Printed, System, Unavailable};
use crate::guest::Error;
use crate::guest::boot::{Guest, Options};
use crate::guest::image::{Spec, line_of};

/// Pools in a guest.
pub struct GuestPools {
    spec: Spec,
    options: Options,
    blobs: Blobs,
    notice: Box<dyn FnMut(&str) + Send>,
    guest: Option<Guest>,
    version: String,
    kernel: String,
    release: Release,
}

impl GuestPools {
    /// Starts the guest of `vm:SPEC`; `blobs` has what `data=hash:` names. `notice` gets sentences for people: what runs, with what, and
    /// every time the guest is started again.
    pub fn start(
        spec: &Spec,
        options: Options,
        blobs: Blobs,
        mut notice: Box<dyn FnMut(&str) + Send>,
    ) -> Result<GuestPools, Unavailable> {
        let guest = Guest::start(spec, &options, &mut notice)?;
        let version = guest.hello().module.clone();
        let kernel = guest.hello().kernel.clone();
        let release = line_of(&version, &format!("the guest {spec}"))?;
        let spec = spec.clone();
        Ok(GuestPools {
            spec,
            options,
            blobs,
            notice,
            guest: Some(guest),
            version,
            kernel,
            release,
        })
    }

    /// The guest, for what is more than playing traces; started again if it had ended.
    pub fn guest(&mut self) -> Result<&mut Guest, Unavailable> {
        let guest = self.take()?;
        Ok(self.guest.insert(guest))
    }

    fn take(&mut self) -> Result<Guest, Error> {
        match self.guest.take() {
            Some(guest) => Ok(guest),
            None => Guest::start(&self.spec, &self.options, &mut self.notice),
        }
    }
}

impl Pools for GuestPools {
    fn version(&self) -> String {
        // `2.3.9-0+deb13u1` is Debian's name for OpenZFS 2.3.9.
        let end = self
            .version
            .find(['-', '~', '+'])
            .unwrap_or(self.version.len());
        self.version[..end].to_owned()
    }

    fn release(&self) -> Release {
        self.release
    }

    fn system(&self) -> Option<System> {
        // `6.12.57+deb13-amd64`: major and minor number.
        let kernel = &self.kernel;
        let end = kernel
            .match_indices('.')
            .nth(1)
            .map_or(kernel.len(), |(at, _)| at);
        let name = self.spec.name.text();
        Some(System {
            linux: kernel[..end].to_owned(),
            name: name.strip_suffix("-backports").unwrap_or(name).to_owned(),
        })
    }

    fn play(
        &mut self,
        commands: &[Command],
        seen: &mut dyn FnMut(usize, Printed),
    ) -> Result<(), Unavailable> {
        let mut done = 0;
        let mut guest = self.take()?;
        let played = guest.play(commands, &self.blobs, &mut |index, printed| {
            done = index + 1;
            seen(index, printed);
        });
        match played {
            Ok(()) => {
                self.guest = Some(guest);
                Ok(())
            }
            // Whatever happened, the state of this guest is not known any more: it ends here.
            Err(Error::Panicked { console, .. }) if done < commands.len() => {
                (self.notice)("the guest's kernel panicked; the next trace gets a new guest");
                let err = format!("{console}\n").into_bytes();
                seen(
                    done,
                    Printed {
                        out: Vec::new(),
                        err,
                        end: End::Panic,
                    },
                );
                Ok(())
            }
            Err(other) => Err(other.into()),
        }
    }
}
