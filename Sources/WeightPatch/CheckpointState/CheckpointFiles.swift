import Foundation
import Safetensors
import Tensors

/// A file of a checkpoint.
struct CheckpointFile {
  let path: String
  /// Relative to the checkpoint's directory.
  let name: String
  let byteCount: Int
}

extension Checkpoint {
  /// Every file of the directory and its subdirectories, in order of name; of a bare file the file alone. Neither the
  /// ledger nor a version control's store is a part of the checkpoint.
  ///
  /// - Throws: an `ErrataError` for what is neither a file nor a directory, and for a link that leads nowhere.
  func files() throws -> [CheckpointFile] {
    guard let directory else {
      return [CheckpointFile(path: path, name: fileName(of: path), byteCount: shards[0].byteCount)]
    }
    var result: [CheckpointFile] = []
    func visit(_ prefix: String) throws {
      let folder = "\(directory)/\(prefix)"
      let names: [String]
      do {
        names = try FileManager.default.contentsOfDirectory(atPath: folder)
      } catch {
        throw ErrataError.file("read", folder, error.systemCode)
      }
      for name in names.sorted() where !Self.isLeftOut(prefix + name) {
        let path = folder + name
        var status = stat()
        guard stat(path, &status) == 0 else { throw ErrataError.file("read", path, errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: result.append(CheckpointFile(path: path, name: prefix + name, byteCount: Int(status.st_size)))
        case S_IFDIR:
          // A link to a directory could lead around in a circle.
          var own = stat()
          guard lstat(path, &own) == 0, own.st_mode & S_IFMT == S_IFDIR else { throw ErrataError.notARegularFile(path) }
          try visit(prefix + name + "/")
        default: throw ErrataError.notARegularFile(path)
        }
      }
    }
    try visit("")
    return result
  }

  private static func isLeftOut(_ name: String) -> Bool {
    name == ".git" || name == LedgerLocation.name || name.hasPrefix(LedgerLocation.name + ".")
  }
}

/// The last component of a path.
func fileName(of path: String) -> String { String(path.split(separator: "/").last ?? "") }
