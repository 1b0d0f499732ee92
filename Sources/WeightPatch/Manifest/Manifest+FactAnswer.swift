import Tensors

extension Manifest.Fact {
  /// The fact in a tool's `--json`: the members that the manifest has of it, the ID under the name `fact` as in all
  /// answers, and the joint probabilities, which follow from the others.
  package var answer: JSON {
    var object = JSONObject(["fact": JSON(identifier)])
    for (key, value) in json.objectValue!.members where key != "id" { object[key] = value }
    object["joint_probability_before"] = JSON(outcome?.jointProbabilityBefore)
    object["joint_probability_after"] = JSON(outcome?.jointProbabilityAfter)
    return .object(object)
  }
}
