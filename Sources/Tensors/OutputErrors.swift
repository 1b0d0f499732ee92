/// What keeps a file from being written where the user wants it, found before the work whose result it is.
extension ErrataError {
  public static var outputUnnamed: ErrataError {
    ErrataError(.usage, "the name of the output is empty; name a file to write")
  }

  static func outputIsDirectory(_ path: String) -> ErrataError {
    ErrataError(.general, "\(path): is a directory; name a file to write")
  }

  static func outputIsInput(_ path: String) -> ErrataError {
    ErrataError(.usage, "\(path): is an input, which would be lost; name another output")
  }

  static func outputIsForeign(_ path: String) -> ErrataError {
    ErrataError(.general, "\(path): is there already, and not what this tool writes; name another output")
  }

  static func outputWithoutDirectory(_ path: String) -> ErrataError {
    ErrataError(.general, "\(path): cannot write: its directory does not exist; make it first")
  }

  static func outputNotWritable(_ path: String, _ code: Int32) -> ErrataError {
    ErrataError(.general, "\(path): cannot write: \(systemErrorText(code)); name another output")
  }
}
