import Foundation
import Tensors

/// Whether a path that may name a patch or a checkpoint names a checkpoint: a directory, or a file in safetensors, whatever it
/// is called. This is the one place that decides it.
public func namesCheckpoint(_ path: String) -> Bool {
  var isDirectory: ObjCBool = false
  let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
  guard exists, !isDirectory.boolValue else { return exists }
  return FileKind(path: path) == .safetensors
}
