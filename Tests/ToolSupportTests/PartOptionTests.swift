import Tensors
import Testing

@testable import ToolSupport

/// Which part `--part auto` is.
@Suite struct PartOptionTests {
  @Test(
    arguments: [
      (["SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_COUNT": "8", "SLURM_ARRAY_TASK_MIN": "0"], "3/8"),
      (["SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "8", "SLURM_ARRAY_TASK_MIN": "1"], "3/8"),
      // sbatch --array=10-16:2
      (
        [
          "SLURM_ARRAY_TASK_ID": "14", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "10",
          "SLURM_ARRAY_TASK_STEP": "2",
        ], "3/4"
      ),
      (["OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "2"], "1/2"), (["PMI_RANK": "1", "PMI_SIZE": "2"], "2/2"),
      // The array is the work's; the task may itself be started by mpirun.
      (
        [
          "SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_COUNT": "3", "OMPI_COMM_WORLD_RANK": "0",
          "OMPI_COMM_WORLD_SIZE": "1",
        ], "1/3"
      ),
    ] as [([String: String], String)])
  func readsTheEnvironment(variables: [String: String], part: String) throws {
    #expect(try PartOption.fromEnvironment(variables) == Part(part))
  }

  @Test func saysWhatIsWrong() {
    func message(_ environment: [String: String]) -> String? {
      do { return try "\(PartOption.fromEnvironment(environment))" } catch { return (error as? ErrataError)?.worded }
    }
    #expect(
      message([:])
        == "--part auto: no job array or mpirun says which part (SLURM_ARRAY_TASK_ID, OMPI_COMM_WORLD_RANK and "
        + "PMI_RANK are not set); say it: --part 1/8")
    #expect(
      message(["OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "2"])
        == "OMPI_COMM_WORLD_RANK: '2' is not one of 2 ranks; set another, or none")
    #expect(
      message(["PMI_RANK": "x", "PMI_SIZE": "2"]) == "PMI_RANK: 'x' is not a number; set another, or none")
  }
}
