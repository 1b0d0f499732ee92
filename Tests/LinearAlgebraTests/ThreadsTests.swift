import Synchronization
import Testing

@testable import LinearAlgebra

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
}
