/// What is wrong with files that are read or written, whatever is in them.
extension ErrataError {
  package static func system(_ action: String, _ path: String, _ code: Int32) -> ErrataError {
    ErrataError(.general, path, "cannot \(action)", cause: systemErrorText(code))
  }

  // MARK: Reading

  static func notARegularFile(_ path: String) -> ErrataError {
    ErrataError(.general, path, "is not a regular file")
  }

  static var standardInputTwice: ErrataError {
    ErrataError(.usage, "-", "standard input can be read only once", remedy: "name a file for the other")
  }

  static func streamTooLong(_ name: String, _ limit: Int) -> ErrataError {
    ErrataError(.damagedInput, name, "is longer than \(limit) bytes, the most that is read of it")
  }

  package static func notJSON(_ kind: Kind, _ path: String, _ error: JSONSyntaxError) -> ErrataError {
    ErrataError(
      error.exceedsLimit ? .damagedInput : kind, path, "not valid JSON at byte \(error.offset)", cause: error.reason)
  }

  /// - Parameter wanted: what the file should be: "a patch".
  static func wrongKind(_ path: String, _ noun: String, wanted: String, remedy: Remedy) -> ErrataError {
    ErrataError(.damagedInput, path, "is \(noun), not \(wanted)", remedy: remedy)
  }

  static func lfsPointer(_ path: String) -> ErrataError {
    ErrataError(
      .damagedInput, path, "is a Git LFS pointer, not the file that it stands for", remedy: "run 'git lfs pull'")
  }

  static func damagedAsText(_ path: String) -> ErrataError {
    ErrataError(
      .damagedInput, path, "damaged by a copy as text, which put a carriage return before every line feed",
      remedy: "copy it again as binary")
  }

  static func danglingLink(_ path: String, to target: String) -> ErrataError {
    ErrataError(.general, path, "is a link to \(target), which is not there", remedy: "fetch the file again")
  }

  // MARK: What keeps a file from being written where the user wants it, found before the work whose result it is

  public static var outputUnnamed: ErrataError {
    ErrataError(.usage, "the name of the output is empty", remedy: "name a file to write")
  }

  static func outputNotRegular(_ path: String) -> ErrataError {
    ErrataError(.general, path, "is not a regular file", remedy: "give another output")
  }

  static func outputIsDirectory(_ path: String) -> ErrataError {
    ErrataError(.general, path, "is a directory", remedy: "name a file to write")
  }

  static func outputIsInput(_ path: String) -> ErrataError {
    ErrataError(.usage, path, "is an input, which would be lost", remedy: "name another output")
  }

  static func outputIsForeign(_ path: String) -> ErrataError {
    ErrataError(.general, path, "is there already, and not what this tool writes", remedy: "name another output")
  }

  static func outputWithoutDirectory(_ path: String) -> ErrataError {
    ErrataError(.general, path, "cannot write", cause: "its directory does not exist", remedy: "make it first")
  }

  static func outputNotWritable(_ path: String, _ code: Int32) -> ErrataError {
    ErrataError(.general, path, "cannot write", cause: systemErrorText(code), remedy: "name another output")
  }
}
