import Foundation

/// Whether a path that may name a patch or a checkpoint names a checkpoint: a directory, or a `.safetensors` file.
public func namesCheckpoint(_ path: String) -> Bool {
  var isDirectory: ObjCBool = false
  let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
  return (exists && isDirectory.boolValue) || path.hasSuffix(".safetensors")
}
