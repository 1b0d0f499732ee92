import ArgumentParser

/// Checks the options with which a tool that changes checkpoints is told where to.
///
/// - Throws: a usage error.
public func validateDestination(output: String?, inPlace: Bool, link: Bool, dryRun: Bool) throws {
  if output != nil && inPlace { throw ValidationError("--output and --in-place exclude each other") }
  if link && inPlace { throw ValidationError("--link goes with --output only") }
  if output == nil && !inPlace && !dryRun { throw ValidationError("give --output or --in-place") }
}

/// What is said when opening a checkpoint finished what an earlier run had begun.
public func repairNotice(_ checkpoint: String) -> String {
  "note: \(checkpoint): finished a change that an earlier run was interrupted in"
}
