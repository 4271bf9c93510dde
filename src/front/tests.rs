//! The front door, without films.
