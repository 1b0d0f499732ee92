import Synchronization
import Tensors
import Testing

@Suite struct ThreadsTests {
  @Test(arguments: [0, 1, 2, 3, 15, 16, 17, 100], [1, 2, 7, 1000]) func rangesCoverEveryItemOnce(count: Int, grain: Int)
  {
    for threads in [1, 2, 3, 16] {
      let ranges = Mutex<[Range<Int>]>([])
      Threads.withCount(threads) {
        Threads.forRanges(count, grain: grain) { range in ranges.withLock { $0.append(range) } }
      }
      let sorted = ranges.withLock { $0.sorted { $0.lowerBound < $1.lowerBound } }
      #expect(sorted.flatMap { Array($0) } == Array(0..<count))
      #expect(sorted.count <= threads && sorted.allSatisfy { !$0.isEmpty })
      #expect(sorted.count <= 1 || sorted.allSatisfy { $0.count >= grain })
    }
  }

  @Test(arguments: [0, 1, 2, 100]) func everyIndexOnce(count: Int) {
    for threads in [1, 4] {
      let indices = Mutex<[Int]>([])
      Threads.withCount(threads) { Threads.forEach(count) { index in indices.withLock { $0.append(index) } } }
      #expect(indices.withLock { $0.sorted() } == Array(0..<count))
    }
  }

  @Test(arguments: [1, 2, 3]) func noMoreThanAllowedAtOnce(threads: Int) {
    let running = Atomic(0)
    let most = Mutex(0)
    Threads.withCount(threads) {
      Threads.forEach(64) { _ in
        let now = running.add(1, ordering: .sequentiallyConsistent).newValue
        most.withLock { $0 = max($0, now) }
        running.subtract(1, ordering: .sequentiallyConsistent)
      }
    }
    #expect(most.withLock { $0 } <= threads)
  }

  @Test(arguments: [1, 4]) func resultsInOrder(threads: Int) throws {
    let (none, squares) = try Threads.withCount(threads) {
      (try Threads.map(3..<3) { $0 }, try Threads.map(5..<105) { $0 * $0 })
    }
    #expect(none.isEmpty)
    #expect(squares == (5..<105).map { $0 * $0 })
  }

  private struct Failure: Error, Equatable {
    let index: Int
  }

  @Test(arguments: [1, 4]) func theFirstFailureIsTold(threads: Int) {
    #expect(throws: Failure(index: 20)) {
      try Threads.withCount(threads) {
        try Threads.map(10..<100) { index in if index % 20 == 0 { throw Failure(index: index) } }
      }
    }
  }
}
