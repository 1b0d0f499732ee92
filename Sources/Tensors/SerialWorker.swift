import Dispatch
import Synchronization

/// Does one thing after another, in the order in which they are given, on a thread of its own; if the system gives
/// none, on that of whoever gives them.
package final class SerialWorker: Sendable {
  private final class Line: Sendable {
    struct State {
      var waiting: [@Sendable () -> Void] = []
      var isBusy = false
      var isClosed = false
    }

    let state = Mutex(State())
    let arrivals = DispatchSemaphore(value: 0)

    /// Does what waits, unless another thread is doing so.
    func work() {
      while let next = take() {
        next()
        state.withLock { $0.isBusy = false }
      }
    }

    private func take() -> (@Sendable () -> Void)? {
      state.withLock { state in
        guard !state.isBusy, !state.waiting.isEmpty else { return nil }
        state.isBusy = true
        return state.waiting.removeFirst()
      }
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }
  }

  private let line = Line()
  private let hasThread: Bool

  package convenience init() { self.init(SystemThread.detach) }

  /// - Parameter startThread: tests refuse the thread.
  init(_ startThread: SystemThread.Starter) {
    hasThread = startThread { [line] in
      while true {
        line.arrivals.wait()
        line.work()
        if line.isClosed { return }
      }
    }
  }

  deinit {
    line.state.withLock { $0.isClosed = true }
    line.arrivals.signal()
  }

  /// Does `body` when what was given before is done.
  package func async(_ body: @escaping @Sendable () -> Void) {
    line.state.withLock { $0.waiting.append(body) }
    if hasThread { line.arrivals.signal() } else { line.work() }
  }

  /// Waits until everything that was given is done.
  package func wait() {
    let done = DispatchSemaphore(value: 0)
    async { done.signal() }
    done.wait()
  }
}
