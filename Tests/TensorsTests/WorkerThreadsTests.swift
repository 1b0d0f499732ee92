import Dispatch
import Synchronization
import Testing

@testable import Tensors

@Suite struct WorkerThreadsTests {
  @Test(arguments: [0, 1, 2, 3, 7, 64, 1000]) func everyIndexOnce(count: Int) {
    for _ in 0..<50 {
      let calls = Mutex(Array(repeating: 0, count: count))
      WorkerThreads.shared.perform(count) { index in calls.withLock { $0[index] += 1 } }
      #expect(calls.withLock { $0.allSatisfy { $0 == 1 } })
    }
  }

  /// From several threads at the same time, and from within.
  @Test func nested() {
    let sum = Atomic(0)
    WorkerThreads.shared.perform(8) { outer in
      WorkerThreads.shared.perform(8) { inner in
        WorkerThreads.shared.perform(3) { _ in sum.add(outer * 8 + inner, ordering: .relaxed) }
      }
    }
    #expect(sum.load(ordering: .relaxed) == 3 * (0..<64).reduce(0, +))
  }

  /// One after another, in order, whoever gives them; and all are done when `wait` returns.
  @Test func serially() {
    for _ in 0..<50 {
      let worker = SerialWorker()
      let done = Mutex<[Int]>([])
      for index in 0..<100 { worker.async { done.withLock { $0.append(index) } } }
      worker.wait()
      #expect(done.withLock { $0 } == Array(0..<100))
    }
  }

  /// The system gives fewer threads than are wanted, or none: what there are do it all, and no more are asked for.
  @Test(arguments: [0, 1, 3]) func refused(given: Int) {
    let asked = Atomic(0)
    let threads = WorkerThreads { body in
      asked.add(1, ordering: .relaxed).oldValue < given && SystemThread.detach(body)
    }
    for _ in 0..<20 {
      let calls = Mutex(Array(repeating: 0, count: 8))
      threads.perform(8) { index in calls.withLock { $0[index] += 1 } }
      #expect(calls.withLock { $0.allSatisfy { $0 == 1 } })
    }
    #expect(asked.load(ordering: .relaxed) == given + 1)
  }

  /// Then whoever gives the work does it, in order, also from several threads and from within the work.
  @Test func seriallyWithoutAThread() {
    let worker = SerialWorker { _ in false }
    let done = Mutex<[Int]>([])
    worker.async {
      worker.async { done.withLock { $0.append(1) } }
      done.withLock { $0.append(0) }
    }
    worker.wait()
    #expect(done.withLock { $0 } == [0, 1])
    let isBusy = Mutex(false)
    WorkerThreads.shared.perform(8) { _ in
      for _ in 0..<100 {
        worker.async {
          #expect(isBusy.withLock { $0 } == false)
          isBusy.withLock { $0 = true }
          done.withLock { $0.append(2) }
          isBusy.withLock { $0 = false }
        }
      }
    }
    worker.wait()
    #expect(done.withLock { $0.count } == 802)
  }

  @Test func whetherThreadsCanStart() {
    #expect(SystemThread.canStart(0) && SystemThread.canStart(5))
  }

  /// What was given is done even if nobody keeps the worker.
  @Test func droppedWorker() {
    let done = DispatchSemaphore(value: 0)
    for _ in 0..<20 { SerialWorker().async { done.signal() } }
    for _ in 0..<20 { #expect(done.wait(timeout: .now() + 10) == .success) }
  }
}
