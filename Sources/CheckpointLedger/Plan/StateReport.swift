import Tensors
import WeightPatch

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
  /// The files that were given copies of their own before they changed in place: they had other names, or were links.
  public var copiedFiles: [String] = []
}

extension StateReport {
  /// One line for people.
  ///
  /// - Parameter size: words a number of bytes.
  public func summary(size: (Int) -> String) -> String {
    let written = "\(counted(tensors.count, "tensor")) written"
    guard editedByteCount > 0 else { return written }
    let share = (1000 * Double(undoByteCount) / Double(editedByteCount)).rounded() / 10
    return written + ", undo records \(size(undoByteCount)) (\(share)% of \(size(editedByteCount)) edited)"
  }

  /// The report's members of a tool's `--json`.
  public var json: JSON {
    [
      "tensors": .array(
        tensors.map { tensor in
          [
            "tensor": .string(tensor.name), "base": JSON(tensor.base), "before": JSON(tensor.before),
            "after": JSON(tensor.after),
          ]
        }), "copied_files": .array(copiedFiles.map { JSON($0) }), "edited_bytes": .integer(editedByteCount),
      "undo_bytes": .integer(undoByteCount),
    ]
  }
}

/// How a plan is written.
public struct WriteOptions {
  public var copyMode: CopyMode
  /// Whether links in the checkpoint are followed wherever they lead.
  public var followsLinks: Bool
  /// Is told how many bytes are done, of how many. May throw to stop; nothing is then left behind.
  public var progress: (_ done: Int, _ total: Int) throws -> Void
  /// From how large a checkpoint on copying is worth other threads.
  var backgroundByteCount = 64 << 20

  public init(
    copyMode: CopyMode = .clone, followsLinks: Bool = false,
    progress: @escaping (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) {
    self.copyMode = copyMode
    self.followsLinks = followsLinks
    self.progress = progress
  }
}

extension PatchFile {
  /// How a tool's `--json` names a patch.
  public var json: JSON {
    ["patch": JSON(identifier), "file": JSON(path), "extent": JSON(extent)]
  }
}
