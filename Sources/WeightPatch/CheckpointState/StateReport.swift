import Tensors

/// What a plan did to a checkpoint.
public struct StateReport: Sendable {
  public struct TensorReport: Sendable {
    public let name: ByteString
    public let byteCount: Int
    /// The digest without any patch.
    public let base: Digest
    /// The digest before and after.
    public let before: Digest
    public let after: Digest
  }

  /// The tensors that were computed anew, in order of name.
  public let tensors: [TensorReport]
  /// The size of all undo records that there are now, and of the tensors that they belong to, in bytes.
  public let undoByteCount: Int
  public let editedByteCount: Int
}

/// How a plan is written.
public struct WriteOptions {
  public var copyMode: CopyMode
  /// Is told how many bytes are done, of how many. May throw to stop; nothing is then left behind.
  public var progress: (_ done: Int, _ total: Int) throws -> Void

  public init(
    copyMode: CopyMode = .clone, progress: @escaping (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) {
    self.copyMode = copyMode
    self.progress = progress
  }
}
