#if MPI
  import CMPI
#endif

/// A number that all processes of a group count up together. It stands in the memory of the first process, and the
/// others reach it by one-sided calls (MPI 3.1, chapter 11), so that nobody waits for a process that computes.
public final class SharedCounter {
  private let group: ProcessGroup
  private var own = 0

  #if MPI
    private var window: MPI_Win?
  #endif

  /// At 0. Collective.
  public init(_ group: ProcessGroup) {
    self.group = group
    #if MPI
      guard group.count > 1 else { return }
      var memory: UnsafeMutableRawPointer?
      let size = MemoryLayout<Int64>.size
      MPI_Win_allocate(
        group.isFirst ? size : 0, Int32(size), errata_mpi_no_info(), errata_mpi_world(), &memory, &window)
      if group.isFirst { memory!.storeBytes(of: 0, as: Int64.self) }
      MPI_Barrier(errata_mpi_world())
      MPI_Win_lock_all(0, window)
    #endif
  }

  /// Adds to the number.
  ///
  /// - Returns: what it was: who takes the next one by adding 1 has it alone.
  @discardableResult
  public func add(_ amount: Int) -> Int {
    #if MPI
      if group.count > 1 { return combine(Int64(amount), errata_mpi_sum()) }
    #endif
    defer { own += amount }
    return own
  }

  public var value: Int {
    #if MPI
      if group.count > 1 { return combine(0, errata_mpi_no_operation()) }
    #endif
    return own
  }

  #if MPI
    private func combine(_ operand: Int64, _ operation: MPI_Op?) -> Int {
      var (operand, found): (Int64, Int64) = (operand, 0)
      MPI_Fetch_and_op(&operand, &found, errata_mpi_int64(), 0, 0, operation, window)
      MPI_Win_flush(0, window)
      return Int(found)
    }
  #endif

  /// Collective.
  public func close() {
    #if MPI
      guard group.count > 1 else { return }
      MPI_Win_unlock_all(window)
      MPI_Win_free(&window)
    #endif
  }
}
