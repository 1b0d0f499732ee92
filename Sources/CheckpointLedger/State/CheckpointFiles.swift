import Foundation
import Safetensors
import Tensors
import WeightPatch

/// A file of a checkpoint.
struct CheckpointFile {
  let path: String
  /// Relative to the checkpoint's directory.
  let name: String
  let byteCount: Int
  /// Which file it was when it was looked at.
  let identity: FileIdentity
}

extension Checkpoint {
  /// Every file of the directory and its subdirectories, in order of name; of a bare file the file alone. Neither the
  /// ledger nor a version control's store is a part of the checkpoint.
  ///
  /// Links are followed that stay in the directory, that lead from a snapshot of a Hugging Face cache to the blobs
  /// beside it, or that are the weight files. Any other could have what it leads to, say a private key, published with
  /// the copy.
  ///
  /// - Parameter followsLinks: follows all of them.
  /// - Throws: an `ErrataError` for what is neither a file nor a directory, for a link that leads nowhere, and (damaged
  ///   input) for one that is not followed.
  func files(followsLinks: Bool = false) throws -> [CheckpointFile] {
    guard let directory else {
      return [
        CheckpointFile(
          path: path, name: fileName(of: path), byteCount: shards[0].byteCount, identity: shards[0].identity)
      ]
    }
    let weightFiles = Set(shards.map(\.path))
    let roots = followsLinks ? [] : try Self.rootsOfLinks(directory)
    var result: [CheckpointFile] = []
    func visit(_ prefix: String) throws {
      let folder = "\(directory)/\(prefix)"
      let names: [String]
      do {
        names = try FileManager.default.contentsOfDirectory(atPath: folder)
      } catch {
        throw ErrataError.system("read", folder, error.systemCode)
      }
      for name in names.sorted() where !Self.isLeftOut(prefix + name) {
        let path = folder + name
        var status = stat()
        guard stat(path, &status) == 0 else { throw ErrataError.system("read", path, errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG:
          let file = try Self.file(path, name: prefix + name)
          // Where it lies is asked of the open file, so that it is the file which will be copied.
          if !followsLinks, !weightFiles.contains(path), !roots.contains(where: { file.place.hasPrefix($0) }) {
            throw ErrataError.linkLeadsOut(path, file.place)
          }
          result.append(file.file)
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

  /// The directories, with a slash at the end, that links of the directory may lead to.
  private static func rootsOfLinks(_ directory: String) throws -> [String] {
    guard let resolved = realpath(directory, nil) else { throw ErrataError.system("read", directory, errno) }
    defer { free(resolved) }
    let place = String(cString: resolved)
    var roots = [place == "/" ? place : place + "/"]
    // models--ORGANISATION--NAME/snapshots/REVISION has links to models--ORGANISATION--NAME/blobs.
    let snapshots = parentDirectory(of: place)
    if fileName(of: snapshots) == "snapshots" { roots.append(parentDirectory(of: snapshots) + "/blobs/") }
    return roots
  }

  /// A file as it is found, and its path without links.
  private static func file(_ path: String, name: String) throws -> (file: CheckpointFile, place: String) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw ErrataError.system("open", path, errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw ErrataError.system("read", path, errno) }
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/fd/\(descriptor)", &buffer, buffer.count)
    guard count >= 0 else { throw ErrataError.system("read", path, errno) }
    let place = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return (
      CheckpointFile(path: path, name: name, byteCount: Int(status.st_size), identity: FileIdentity(status)), place
    )
  }

  private static func isLeftOut(_ name: String) -> Bool {
    name == ".git" || name == LedgerLocation.name || name.hasPrefix(LedgerLocation.name + ".")
  }
}
