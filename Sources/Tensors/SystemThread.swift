import Foundation

/// Threads as the system gives them, or does not.
package enum SystemThread {
  /// Starts a thread, or says that there is none.
  package typealias Starter = @Sendable (@escaping @Sendable () -> Void) -> Bool

  /// Numeric loops and system calls need little, and where memory is scarce (`ulimit -v`) the system's 8 MiB count.
  private static let stackByteCount = 1 << 20

  /// Starts a thread that runs `body`, and ends with it.
  ///
  /// - Returns: whether the system gave one.
  @Sendable package static func detach(_ body: @escaping @Sendable () -> Void) -> Bool {
    guard let thread = start(stackByteCount: stackByteCount, body) else { return false }
    pthread_detach(thread)
    return true
  }

  /// Whether the system would give so many more threads, with stacks of its own size: for a library that does not ask.
  package static func canStart(_ count: Int) -> Bool {
    let gate = DispatchSemaphore(value: 0)
    var threads: [pthread_t] = []
    while threads.count < count, let thread = start({ gate.wait() }) { threads.append(thread) }
    for _ in threads { gate.signal() }
    for thread in threads { pthread_join(thread, nil) }
    return threads.count == count
  }

  private final class Start {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  private static func start(stackByteCount: Int? = nil, _ body: @escaping @Sendable () -> Void) -> pthread_t? {
    var attributes = pthread_attr_t()
    guard pthread_attr_init(&attributes) == 0 else { return nil }
    defer { pthread_attr_destroy(&attributes) }
    if let stackByteCount { pthread_attr_setstacksize(&attributes, stackByteCount) }
    // Ctrl-C is for the first thread: a system call of another is not to be interrupted by it.
    var (blocked, before) = (sigset_t(), sigset_t())
    sigemptyset(&blocked)
    for number in [SIGINT, SIGTERM] { sigaddset(&blocked, number) }
    pthread_sigmask(SIG_BLOCK, &blocked, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    let start = Unmanaged.passRetained(Start(body))
    var thread = pthread_t()
    let result = pthread_create(
      &thread, &attributes,
      { argument in
        Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue().body()
        return nil
      }, start.toOpaque())
    guard result == 0 else {
      start.release()
      return nil
    }
    return thread
  }
}
