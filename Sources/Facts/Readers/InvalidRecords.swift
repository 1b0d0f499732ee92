import Tensors

/// What is done about records that cannot be used: all of them are told, one on a line; then that is the end, or the
/// work goes on without them.
public struct InvalidRecords {
  private let areSkipped: Bool
  private let notice: (String) -> Void

  /// - Parameters:
  ///   - areSkipped: whether to go on.
  ///   - notice: is told of each record, in one line for people.
  public init(areSkipped: Bool, notice: @escaping (String) -> Void) {
    self.areSkipped = areSkipped
    self.notice = notice
  }

  /// The first of them that is met is the end; nobody is told of others.
  public static var refused: InvalidRecords { InvalidRecords(areSkipped: false) { _ in } }

  /// - Parameters:
  ///   - errors: why records of `path` cannot be used, one for each.
  ///   - count: of the records among which they were found.
  /// - Throws: an `ErrataError` if there are some and they are not skipped, or if no other record is left.
  func report(_ errors: [ErrataError], of count: Int, in path: String) throws {
    guard let first = errors.first else { return }
    if !areSkipped, errors.count == 1 { throw first }
    for error in errors { notice(error.message + (areSkipped ? "; left out" : "")) }
    if !areSkipped {
      let category = errors.contains { $0.kind == .damagedInput } ? .damagedInput : first.kind
      throw ErrataError.invalidRecords(path, errors.count, of: count, category)
    }
    guard errors.count < count else { throw ErrataError.noValidRecords(path) }
  }
}
