//! Writing outcomes into traces.
