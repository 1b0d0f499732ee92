import Tensors

/// What keeps any tool from being done.
extension ErrataError {
  static func malformedArgument(_ number: Int) -> ErrataError {
    ErrataError(.usage, "argument \(number) is not UTF-8 text")
  }

  /// The tool may have changed a checkpoint before it told about it.
  static func answerNotWritten(_ reason: String) -> ErrataError {
    ErrataError(.general, "standard output: cannot write: \(reason); the answer is incomplete, all else was done")
  }

  static func badEnvironment(_ variable: String, _ value: String, wanted: String) -> ErrataError {
    ErrataError(.usage, "\(variable): '\(value)' is not \(wanted); set another, or none")
  }
}
