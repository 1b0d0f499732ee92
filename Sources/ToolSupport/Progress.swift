import Dispatch
import Foundation
import Synchronization

/// A progress line on standard error: what is done, the rate, and the time left.
///
/// On a terminal the line is redrawn in place; elsewhere a line is written every half minute, so that a log shows life
/// without being filled.
public final class Progress: Sendable {
  private struct State {
    var completed: Double = 0
    var lastDrawn: UInt64 = 0
    var text = ""
  }

  private static let lineIsDrawn = Mutex(false)
  private let title: String
  private let unit: String
  private let total: Double
  /// Work that an earlier, interrupted run had done: it counts as completed, not as speed.
  private let initial: Double
  private let start: UInt64
  private let isTerminal: Bool
  private let isQuiet: Bool
  private let state: Mutex<State>

  /// - Parameters:
  ///   - title: what is going on, for example "second moments".
  ///   - unit: what is counted, in the plural: "tokens".
  ///   - total: how many there are.
  ///   - initial: how many were done before this run.
  ///   - isQuiet: writes nothing.
  public init(_ title: String, unit: String, total: Int, initial: Int = 0, isQuiet: Bool = false) {
    self.title = title
    self.unit = unit
    self.total = Double(total)
    self.initial = Double(initial)
    self.isQuiet = isQuiet
    isTerminal = isatty(STDERR_FILENO) == 1
    start = DispatchTime.now().uptimeNanoseconds
    state = Mutex(State(completed: Double(initial)))
  }

  /// Sets how many are done, with a remark to show behind the numbers.
  public func update(completed: Int, _ text: String = "") {
    guard !isQuiet else { return }
    let interval: UInt64 = isTerminal ? 100_000_000 : 30_000_000_000
    let line: String? = state.withLock { state in
      // Read under the lock: another thread's drawing must not seem to lie in the future.
      let now = DispatchTime.now().uptimeNanoseconds
      state.completed = Double(completed)
      state.text = text
      let reference = max(state.lastDrawn, isTerminal ? 0 : start)
      guard now - reference >= interval else { return nil }
      state.lastDrawn = now
      return describe(state, now: now)
    }
    if let line { draw(line) }
  }

  /// Removes the line. The rate and the total are left to the caller's own result line.
  public func finish() {
    Self.clearLine()
  }

  public var secondsElapsed: Double {
    Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
  }

  private func describe(_ state: State, now: UInt64) -> String {
    describe(completed: state.completed, seconds: Double(now - start) * 1e-9, state.text)
  }

  func describe(completed: Double, seconds: Double, _ text: String = "") -> String {
    // At first it says nothing of what is to come.
    let rate = seconds >= 0.5 ? (completed - initial) / seconds : 0
    let share = total > 0 ? 100 * completed / total : 100
    var line =
      "\(title): \(formatCount(completed))/\(formatCount(total)) \(unit) (\(Int(share))%)"
    if rate > 0 {
      line += ", \(formatRate(rate)) \(unit)/s, \(formatDuration((total - completed) / rate)) left"
    }
    return text.isEmpty ? line : line + ", " + text
  }

  private func draw(_ line: String) {
    let line = printable(line)
    if isTerminal {
      Self.lineIsDrawn.withLock { $0 = true }
      StandardStreams.writeError("\r\u{1B}[2K\(line)")
    } else {
      StandardStreams.writeError(line + "\n")
    }
  }

  static func clearLine() {
    lineIsDrawn.withLock { isDrawn in
      if isDrawn {
        StandardStreams.writeError("\r\u{1B}[2K")
        isDrawn = false
      }
    }
  }
}

private func formatCount(_ value: Double) -> String { String(Int(value)) }

private func formatRate(_ value: Double) -> String {
  value >= 100 ? String(Int(value)) : String(format: "%.1f", value)
}
