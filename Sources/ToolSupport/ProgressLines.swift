import Dispatch

/// Progress lines one after the other: a new one begins with a new title, and the one before it ends.
public final class ProgressLines {
  private let isQuiet: Bool
  private let start = DispatchTime.now().uptimeNanoseconds
  private var current: (title: String, line: Progress)?

  /// - Parameter isQuiet: writes nothing.
  public init(isQuiet: Bool = false) { self.isQuiet = isQuiet }

  /// Sets how many are done of what the title names; the other parameters are `Progress`'s.
  public func update(
    _ title: String, unit: String, completed: Int, of total: Int, initial: Int = 0, _ remark: String = ""
  ) {
    if current?.title != title {
      finish()
      current = (title, Progress(title, unit: unit, total: total, initial: initial, isQuiet: isQuiet))
    }
    current!.line.update(completed: completed, remark)
  }

  /// Ends the last line.
  public func finish() {
    current?.line.finish()
    current = nil
  }

  /// Since there is this value.
  public var secondsElapsed: Double { Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9 }
}
