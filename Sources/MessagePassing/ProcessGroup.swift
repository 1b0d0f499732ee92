import Foundation

#if MPI
  import CMPI
#endif

/// The processes that one `mpirun` started, of which this is one (MPI 3.1; Open MPI). A process that was started alone,
/// or built without the trait `MPI`, is a group of one.
///
/// All calls are the main thread's. Calls that say so are collective: every process makes them, in the same order.
public final class ProcessGroup: @unchecked Sendable {
  /// Whoever asks first joins the others.
  public static let world = ProcessGroup()
  /// A group of one.
  public static let alone = ProcessGroup(rank: 0, count: 1)

  /// From 0.
  public let rank: Int
  public let count: Int

  public var isFirst: Bool { rank == 0 }

  /// Whether MPI is to be left.
  private let isJoined: Bool

  private init(rank: Int, count: Int, isJoined: Bool = false) {
    (self.rank, self.count, self.isJoined) = (rank, count, isJoined)
  }

  #if MPI
    private convenience init() {
      let environment = ProcessInfo.processInfo.environment
      // MPI takes half a second to start, which nobody needs who did not call mpirun.
      guard ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"].contains(where: { environment[$0] != nil }) else {
        self.init(rank: 0, count: 1)
        return
      }
      var (provided, rank, count): (Int32, Int32, Int32) = (0, 0, 1)
      MPI_Init_thread(nil, nil, Int32(MPI_THREAD_FUNNELED), &provided)
      MPI_Comm_rank(errata_mpi_world(), &rank)
      MPI_Comm_size(errata_mpi_world(), &count)
      self.init(rank: Int(rank), count: Int(count), isJoined: true)
    }
  #else
    private convenience init() { self.init(rank: 0, count: 1) }
  #endif

  /// Leaves the group. Collective, and the last call.
  public func leave() {
    #if MPI
      if isJoined { MPI_Finalize() }
    #endif
  }

  /// Ends every process of the group.
  public func abort(_ code: Int32) -> Never {
    #if MPI
      if count > 1 { MPI_Abort(errata_mpi_world(), code) }
    #endif
    exit(code)
  }

  /// What every process gives, in the order of ranks. Collective.
  ///
  /// - Parameter bytes: at most 2 GiB of all processes together are exchanged at a time; more goes in pieces.
  public func exchange(_ bytes: [UInt8]) -> [[UInt8]] {
    #if MPI
      guard count > 1 else { return [bytes] }
      var lengths = [Int64](repeating: 0, count: count)
      var length = Int64(bytes.count)
      MPI_Allgather(&length, 1, errata_mpi_int64(), &lengths, 1, errata_mpi_int64(), errata_mpi_world())
      return lengths.enumerated().map { root, length in broadcast(root == rank ? bytes : [], Int(length), from: root) }
    #else
      return [bytes]
    #endif
  }

  #if MPI
    private func broadcast(_ bytes: [UInt8], _ length: Int, from root: Int) -> [UInt8] {
      var buffer = bytes.isEmpty ? [UInt8](repeating: 0, count: length) : bytes
      let piece = 1 << 30  // MPI counts in 32 bits
      buffer.withUnsafeMutableBytes { buffer in
        for start in stride(from: 0, to: length, by: piece) {
          MPI_Bcast(
            buffer.baseAddress! + start, Int32(min(piece, length - start)), errata_mpi_byte(), Int32(root),
            errata_mpi_world())
        }
      }
      return buffer
    }
  #endif
}
