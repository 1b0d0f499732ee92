import Foundation
import Tensors

/// Whether a path that may name a patch or a checkpoint names a checkpoint: a directory, a file in safetensors,
/// whatever it is called, or a model in the download cache. This is the one place that decides it.
public func namesCheckpoint(_ name: String) -> Bool {
  let path = HubCache.path(ofCheckpoint: name)
  var isDirectory: ObjCBool = false
  let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
  guard exists, !isDirectory.boolValue else { return exists }
  return FileKind(path: path) == .safetensors
}
