/// Everything that a program needs to read, make, apply and take back weight patches: one import.
///
///     import Errata
///
///     let patch = try PatchFile(path: "fix.wpatch")
///     let plan = try CheckpointState(path: "SmolLM2-135M").planApply([patch])
///     try plan.write(to: "SmolLM2-fixed")
///
/// `Examples/` has two programs: one lists and applies a patch, one computes an edit.
@_exported import CheckpointLedger
@_exported import EditEvaluation
@_exported import Facts
@_exported import KnowledgeEditing
@_exported import PatchAlgebra
@_exported import Safetensors
@_exported import SecondMomentStatistics
@_exported import Tensors
@_exported import WeightPatch
