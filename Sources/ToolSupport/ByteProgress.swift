import Tensors

/// A progress line for work that is counted in bytes, and that Ctrl-C may stop: shown in whole megabytes.
public final class ByteProgress {
  private let title: String
  private let isQuiet: Bool
  private var progress: Progress?

  /// From now on Ctrl-C is a request, which the next `update` answers.
  public init(_ title: String, isQuiet: Bool) {
    self.title = title
    self.isQuiet = isQuiet
    Interruption.install()
  }

  /// - Throws: an `ErrataError` if Ctrl-C was pressed: the caller stops and cleans up.
  public func update(done: Int, total: Int) throws {
    if Interruption.isRequested { throw ErrataError.interrupted(title) }
    let line = progress ?? Progress(title, unit: "MB", total: total / 1_000_000, isQuiet: isQuiet)
    progress = line
    line.update(completed: done / 1_000_000)
  }

  public func finish() { progress?.finish() }
}
