import COpenBLAS
import Synchronization
import Tensors

/// How many threads BLAS uses: one, but for the few calls that are long enough to gain by more.
///
/// OpenBLAS would use all processors for every call; its waiting threads would then compete with ours (`Threads`).
enum BLAS {
  private static let isSerial: Void = openblas_set_num_threads(1)

  /// The most threads that BLAS has been let start, the caller among them.
  private static let most = Mutex(1)

  /// Whether BLAS has so many threads, or can start them. It does not look whether the system gives more than it began
  /// with, and would wait for ever for one that was not given.
  private static func hasThreads(_ count: Int) -> Bool {
    most.withLock { most in
      if most < count, SystemThread.canStart(count - most) { most = count }
      return most >= count
    }
  }

  /// To be called before BLAS is called for the calling thread alone; the first time tells it.
  static func useOneThread() { _ = isSerial }

  /// Runs `body`, a phase of the profile, with BLAS's own threads if it is long enough to gain by them.
  ///
  /// - Parameter operations: how many `body` takes, two for each multiply-add.
  static func run(_ phase: String, operations: Int, _ body: () -> Void) {
    Profile.measure(phase) {
      Profile.count(operations: operations)
      withThreads(multiplyAdds: operations / 2, body)
    }
  }

  /// Lets BLAS use its own threads while `body` runs, if it is long enough to gain by them.
  ///
  /// BLAS's number of threads is one for the process, and float32 products that run meanwhile see it: short work leaves
  /// it alone.
  ///
  /// - Parameter multiplyAdds: how many `body` takes.
  static func withThreads<Result>(multiplyAdds: Int, _ body: () -> Result) -> Result {
    useOneThread()
    let threads = Threads.count
    guard multiplyAdds >= 1 << 27, threads > 1, hasThreads(threads) else { return body() }
    openblas_set_num_threads(Int32(threads))
    defer { openblas_set_num_threads(1) }
    return body()
  }
}
