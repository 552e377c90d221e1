//! Nothing but dependencies: the manifest gives every package of the workspace the same features.
