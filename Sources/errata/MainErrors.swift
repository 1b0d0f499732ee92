import Tensors

/// What the front door says.
extension ErrataError {
  static func notACommand(_ name: String, nearest: String?) -> ErrataError {
    nearest.map { ErrataError(.usage, "'\(name)' is not a command: did you mean '\($0)'?") }
      ?? ErrataError(.usage, "'\(name)' is not a command", remedy: .help("errata"))
  }
}
