import Dispatch
import Synchronization

/// The threads that help the one that has work (`Threads` says how many). They are started when they are first needed,
/// and wait for the next work afterwards.
///
/// Not Dispatch's: that waits for ever for a thread that the system does not give (`ulimit -v`, `ulimit -u`). Here the
/// work is then done by fewer, in the end by the caller alone.
package final class WorkerThreads: Sendable {
  package static let shared = WorkerThreads()

  private struct State {
    var count = 0
    /// Whether the system refused one: then no more are asked for.
    var isRefused = false
    /// A job stands here once for every thread that it can use.
    var waiting: [Job] = []
  }

  private let state = Mutex(State())
  private let arrivals = DispatchSemaphore(value: 0)
  private let startThread: SystemThread.Starter

  /// - Parameter startThread: tests refuse threads.
  init(_ startThread: @escaping SystemThread.Starter = SystemThread.detach) { self.startThread = startThread }

  /// One call of `perform`.
  private final class Job: Sendable {
    private let iterations: Int
    private let next = Atomic(0)
    private let body: Mutex<(@Sendable (Int) -> Void)?>
    /// Workers that are at it, and whether the caller waits for them; under the pool's lock.
    nonisolated(unsafe) var helpers = 0
    nonisolated(unsafe) var isAwaited = false
    let done = DispatchSemaphore(value: 0)

    init(_ iterations: Int, _ body: @escaping @Sendable (Int) -> Void) {
      self.iterations = iterations
      self.body = Mutex(body)
    }

    /// Does what is left.
    func work() {
      guard let body = body.withLock({ $0 }) else { return }
      while true {
        let index = next.add(1, ordering: .relaxed).oldValue
        guard index < iterations else { return }
        body(index)
      }
    }

    /// The closure must not outlive the call that it came with.
    func forgetBody() { body.withLock { $0 = nil } }
  }

  /// Runs `body` for every index of `0..<iterations`, on this thread and up to `iterations - 1` others, and returns
  /// when all are done.
  package func perform(_ iterations: Int, _ body: @Sendable (Int) -> Void) {
    let helpers = start(iterations - 1)
    guard helpers > 0 else { return (0..<iterations).forEach(body) }
    withoutActuallyEscaping(body) { body in
      let job = Job(iterations, body)
      state.withLock { $0.waiting.append(contentsOf: repeatElement(job, count: helpers)) }
      for _ in 0..<helpers { arrivals.signal() }
      job.work()
      let waits = state.withLock { state in
        state.waiting.removeAll { $0 === job }
        job.isAwaited = job.helpers > 0
        return job.isAwaited
      }
      if waits { job.done.wait() }
      job.forgetBody()
    }
  }

  /// Sees to it that there are `wanted` threads, if possible.
  ///
  /// - Returns: how many of the wanted there are.
  private func start(_ wanted: Int) -> Int {
    state.withLock { state in
      while state.count < wanted, !state.isRefused {
        if startThread({ self.serve() }) {
          state.count += 1
        } else {
          state.isRefused = true
        }
      }
      return min(wanted, state.count)
    }
  }

  private func serve() -> Never {
    while true {
      arrivals.wait()
      // Nothing, if its job was done before this thread came to it.
      guard let job = take() else { continue }
      job.work()
      state.withLock { _ in
        job.helpers -= 1
        if job.isAwaited, job.helpers == 0 { job.done.signal() }
      }
    }
  }

  private func take() -> Job? {
    state.withLock { state in
      guard !state.waiting.isEmpty else { return nil }
      let job = state.waiting.removeFirst()
      job.helpers += 1
      return job
    }
  }
}
