import Tensors

/// What keeps any tool from being done.
extension ErrataError {
  /// - Parameter command: the one whose help says more.
  static func usage(_ problem: String, _ command: String) -> ErrataError {
    ErrataError(.usage, problem, remedy: .help(command))
  }

  static func malformedArgument(_ number: Int) -> ErrataError {
    ErrataError(.usage, "argument \(number) is not UTF-8 text")
  }

  static func notLayers(_ text: String) -> ErrataError {
    ErrataError(.usage, "'\(text)' is not a list of layers", remedy: "give numbers like 5, 3,4,5 or 3-5")
  }

  /// The tool may have changed a checkpoint before it told about it.
  static func answerNotWritten(_ reason: String) -> ErrataError {
    ErrataError(
      .general, "standard output", "cannot write", cause: reason, outcome: "the answer is incomplete, all else was done"
    )
  }

  static var noPartInEnvironment: ErrataError {
    ErrataError(
      .usage,
      "--part auto: no job array or mpirun says which part (SLURM_ARRAY_TASK_ID, OMPI_COMM_WORLD_RANK and PMI_RANK are "
        + "not set)",
      remedy: "say it: --part 1/8")
  }

  static func badEnvironment(_ variable: String, _ value: String, wanted: String) -> ErrataError {
    ErrataError(.usage, variable, "'\(value)' is not \(wanted)", remedy: "set another, or none")
  }

  /// - Parameter work: what was being done, as the progress line calls it.
  static func interrupted(_ work: String) -> ErrataError {
    ErrataError(.general, work, "interrupted", outcome: "nothing was changed")
  }

  static func cannotRun(_ program: String, _ code: Int32) -> ErrataError {
    ErrataError(.general, program, "cannot run", cause: systemErrorText(code))
  }

  /// What the argument parser says of its own.
  static func parser(_ message: String) -> ErrataError { ErrataError(.general, message) }
}
