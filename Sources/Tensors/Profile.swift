import Dispatch
import Synchronization

/// Where the time of a run goes: phases, the phases within them, and the floating-point operations of each.
///
/// Off until `start`, and then a call of `measure` costs well under a microsecond. Phases are entered by the one thread
/// that drives a computation; what it hands to other threads counts where it waits for them.
///
///     Profile.start()
///     Profile.measure("keys") { ... Profile.measure("attention") { ... } ... }
///     for phase in Profile.phases() { ... }   // keys, then keys > attention
public enum Profile {
  /// One phase, as the phases before it on its path led there.
  public struct Phase: Sendable {
    public let name: String
    /// How many phases this one is within.
    public let depth: Int
    public let calls: Int
    /// Wall-clock time, that of the phases within it included.
    public let seconds: Double
    /// Additions and multiplications of matrix products, those of the phases within it included; 0 where none are
    /// counted.
    public let operations: Double
  }

  private struct Node {
    let name: String
    let parent: Int?
    var children: [Int] = []
    var calls = 0
    var nanoseconds: UInt64 = 0
    var operations = 0.0
  }

  private struct State {
    var nodes = [Node(name: "", parent: nil)]
    var current = 0
    var start = DispatchTime.now().uptimeNanoseconds
  }

  private static let isOn = Atomic<Bool>(false)
  private static let state = Mutex(State())

  /// Begins to measure, from nothing.
  public static func start() {
    state.withLock { $0 = State() }
    isOn.store(true, ordering: .relaxed)
  }

  /// Seconds since `start`.
  public static var secondsElapsed: Double {
    state.withLock { Double(DispatchTime.now().uptimeNanoseconds - $0.start) * 1e-9 }
  }

  /// Runs `body` as a phase within the phase that is running.
  public static func measure<Result, Failure: Error>(
    _ phase: String, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    guard isOn.load(ordering: .relaxed) else { return try body() }
    let start = DispatchTime.now().uptimeNanoseconds
    let index = state.withLock { state in
      let parent = state.current
      var index = state.nodes[parent].children.first { state.nodes[$0].name == phase }
      if index == nil {
        index = state.nodes.count
        state.nodes.append(Node(name: phase, parent: parent))
        state.nodes[parent].children.append(index!)
      }
      state.current = index!
      return index!
    }
    defer {
      let end = DispatchTime.now().uptimeNanoseconds
      state.withLock { state in
        state.nodes[index].calls += 1
        state.nodes[index].nanoseconds += end - start
        state.current = state.nodes[index].parent!
      }
    }
    return try body()
  }

  /// Counts operations in the phase that is running.
  public static func count(operations: @autoclosure () -> Int) {
    guard isOn.load(ordering: .relaxed) else { return }
    let operations = Double(operations())
    state.withLock { $0.nodes[$0.current].operations += operations }
  }

  /// What was measured so far: every phase before those within it, in the order in which they were first entered.
  public static func phases() -> [Phase] {
    state.withLock { state in
      var result: [Phase] = []
      func visit(_ index: Int, depth: Int) -> Double {
        let place = result.count
        let node = state.nodes[index]
        result.append(Phase(name: "", depth: 0, calls: 0, seconds: 0, operations: 0))
        let operations = node.children.reduce(node.operations) { $0 + visit($1, depth: depth + 1) }
        result[place] = Phase(
          name: node.name, depth: depth, calls: node.calls, seconds: Double(node.nanoseconds) * 1e-9,
          operations: operations)
        return operations
      }
      for child in state.nodes[0].children { _ = visit(child, depth: 0) }
      return result
    }
  }
}
