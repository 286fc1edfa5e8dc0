//! The model as the reference machine of `proptest-state-machine`.

use ::proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use super::{Lot, Mix, World, apply};
use crate::machine::Machine;
use crate::op::Op;
use crate::release::Release;

/// What drivers of containers do, in the world that is the default, by the rules of the default release. Behind each
/// operation, `state` is the machine as ZFS would leave it; what ZFS refuses leaves it as it is.
#[derive(Clone, Copy, Debug)]
pub struct Reference;

impl ReferenceStateMachine for Reference {
    type State = Machine;
    type Transition = Op;

    fn init_state() -> BoxedStrategy<Machine> {
        Just(World::default().machine(Release::default())).boxed()
    }

    fn transitions(machine: &Machine) -> BoxedStrategy<Op> {
        let machine = machine.clone();
        let lots = any::<[u8; 8]>();
        lots.prop_map(move |lot| World::default().choose(Mix::Layers, Lot(lot), machine.state()))
            .boxed()
    }

    fn apply(mut machine: Machine, op: &Op) -> Machine {
        let _ = apply(&mut machine, op);
        machine
    }
}
