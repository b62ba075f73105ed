from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ort_core as ort

SIGNATURES = """
InferenceSession.__init__ path_or_bytes sess_options providers provider_options
InferenceSession.run output_names input_feed run_options
InferenceSession.run_async output_names input_feed callback user_data run_options
InferenceSession.run_with_iobinding iobinding run_options
InferenceSession.run_with_ort_values output_names input_dict_ort_values run_options
InferenceSession.run_with_ortvaluevector run_options feed_names feeds fetch_names fetches fetch_devices
InferenceSession.set_providers providers provider_options
InferenceSession.create_ortvalue_from_shape_and_type shape element_type device_type device_id vendor_id
InferenceSession.disable_fallback
InferenceSession.enable_fallback
InferenceSession.end_profiling
InferenceSession.get_input_memory_infos
InferenceSession.get_inputs
InferenceSession.get_modelmeta
InferenceSession.get_output_memory_infos
InferenceSession.get_outputs
InferenceSession.get_overridable_initializers
InferenceSession.get_profiling_start_time_ns
InferenceSession.get_provider_graph_assignment_info
InferenceSession.get_provider_options
InferenceSession.get_providers
InferenceSession.get_session_options
InferenceSession.get_tuning_results
InferenceSession.io_binding
InferenceSession.release_captured_graph graph_annotation_id
InferenceSession.set_ep_dynamic_options options
InferenceSession.set_tuning_results results *error_on_invalid
IOBinding.__init__ session
IOBinding.bind_cpu_input name arr_on_cpu
IOBinding.bind_input name device_type device_id element_type shape buffer_ptr
IOBinding.bind_ortvalue_input name ortvalue
IOBinding.bind_ortvalue_output name ortvalue
IOBinding.bind_output name device_type device_id element_type shape buffer_ptr
IOBinding.clear_binding_inputs
IOBinding.clear_binding_outputs
IOBinding.copy_outputs_to_cpu
IOBinding.get_outputs
IOBinding.get_outputs_as_ortvaluevector
IOBinding.synchronize_inputs
IOBinding.synchronize_outputs
SessionIOBinding.bind_input arg0 arg1
SessionIOBinding.bind_output arg0 arg1
SessionIOBinding.get_outputs
OrtDevice.__init__ c_ort_device
OrtDevice.device_id
OrtDevice.device_mem_type
OrtDevice.device_type
OrtDevice.device_vendor_id
OrtDevice.make ort_device_name device_id vendor_id
OrtEpAssignedSubgraph.get_nodes
OrtMemoryInfo.__init__ arg0 arg1 arg2 arg3
OrtMemoryInfo.create_v2 arg0 arg1 arg2 arg3 arg4 arg5 arg6
OrtSyncStream.get_handle
OrtValue.__init__ ortvalue numpy_obj session
OrtValue.as_sparse_tensor
OrtValue.data_ptr
OrtValue.data_type
OrtValue.device_name
OrtValue.element_type
OrtValue.from_dlpack /data
OrtValue.has_value
OrtValue.is_sparse_tensor
OrtValue.is_tensor
OrtValue.is_tensor_sequence
OrtValue.numpy
OrtValue.ort_value_from_sparse_tensor sparse_tensor
OrtValue.ortvalue_from_numpy /numpy_obj device_type device_id vendor_id
OrtValue.ortvalue_from_numpy_with_onnx_type /data onnx_element_type
OrtValue.ortvalue_from_shape_and_type shape element_type device_type device_id vendor_id memory_info
OrtValue.shape
OrtValue.tensor_size_in_bytes
OrtValue.update_inplace data
RunOptions.__init__
RunOptions.add_run_config_entry arg0 arg1
RunOptions.get_run_config_entry arg0
SessionOptions.__init__
SessionOptions.add_external_initializers arg0 arg1
SessionOptions.add_external_initializers_from_files_in_memory arg0 arg1 arg2
SessionOptions.add_free_dimension_override_by_denotation arg0 arg1
SessionOptions.add_free_dimension_override_by_name arg0 arg1
SessionOptions.add_initializer arg0 arg1
SessionOptions.add_provider arg0 arg1
SessionOptions.add_session_config_entry arg0 arg1
SessionOptions.get_session_config_entry arg0
SessionOptions.has_providers
SessionOptions.register_custom_ops_library arg0
SessionOptions.set_load_cancellation_flag arg0
SparseTensor.__init__ sparse_tensor
SparseTensor.as_blocksparse_view
SparseTensor.as_coo_view
SparseTensor.as_csrc_view
SparseTensor.data_type
SparseTensor.dense_shape
SparseTensor.device_name
SparseTensor.format
SparseTensor.sparse_coo_from_numpy dense_shape values coo_indices ort_device
SparseTensor.sparse_csr_from_numpy dense_shape values inner_indices outer_indices ort_device
SparseTensor.to_cuda ort_device
SparseTensor.values
copy_tensors src dst stream
create_and_register_allocator arg0 arg1
create_and_register_allocator_v2 arg0 arg1 arg2 arg3
disable_telemetry_events
enable_telemetry_events
get_all_providers
get_available_providers
get_build_info
get_device
get_version_string
has_collective_ops
preload_dlls cuda cudnn msvc directory
set_default_logger_severity arg0
set_default_logger_verbosity arg0
set_seed arg0
"""
"""Parameters of onnxruntime 1.31.1 in order: `argN` have no name there, `/` marks positional ones, `*` keywords."""

ENUMS = """
ExecutionMode ORT_PARALLEL=1 ORT_SEQUENTIAL=0
ExecutionOrder DEFAULT=0 MEMORY_EFFICIENT=2 PRIORITY_BASED=1
GraphOptimizationLevel ORT_DISABLE_ALL=0 ORT_ENABLE_ALL=99 ORT_ENABLE_BASIC=1 ORT_ENABLE_EXTENDED=2 ORT_ENABLE_LAYOUT=3
OrtAllocatorType INVALID=-1 ORT_ARENA_ALLOCATOR=1 ORT_DEVICE_ALLOCATOR=0
OrtCompileApiFlags ERROR_IF_NO_NODES_COMPILED=1 ERROR_IF_OUTPUT_FILE_EXISTS=2 NONE=0
OrtDeviceMemoryType DEFAULT=0 HOST_ACCESSIBLE=5
OrtDeviceVendorId AMD=4098 ARM=5045 HUAWEI=6629 INTEL=32902 MICROSOFT=5140 NONE=0 NVIDIA=4318 QUALCOMM=20803
OrtExecutionProviderDevicePolicy DEFAULT=0 MAX_EFFICIENCY=5 MAX_PERFORMANCE=4 MIN_OVERALL_POWER=6 PREFER_CPU=1 PREFER_GPU=3
OrtExecutionProviderDevicePolicy PREFER_NPU=2
OrtHardwareDeviceType CPU=0 GPU=1 NPU=2
OrtMemType CPU=-1 CPU_INPUT=-2 CPU_OUTPUT=-1 DEFAULT=0
OrtMemoryInfoDeviceType CPU=0 FPGA=2 GPU=1 NPU=3
OrtSparseFormat ORT_SPARSE_BLOCK_SPARSE=4 ORT_SPARSE_COO=1 ORT_SPARSE_CSRC=2 ORT_SPARSE_UNDEFINED=0
"""

PROPERTIES = """
ModelMetadata custom_metadata_map description domain graph_description graph_name producer_name version
NodeArg name shape type
OrtArenaCfg arena_extend_strategy initial_chunk_size_bytes initial_growth_chunk_size_bytes max_dead_bytes_per_chunk max_mem
OrtArenaCfg max_power_of_two_extend_bytes
OrtEpAssignedNode domain name op_type
OrtEpAssignedSubgraph ep_name
OrtMemoryInfo allocator_type device_id device_mem_type device_vendor_id mem_type name
RunOptions log_severity_level log_verbosity_level logid only_execute_path_to_fetches terminate
SessionOptions enable_cpu_mem_arena enable_mem_pattern enable_mem_reuse enable_profiling execution_mode execution_order
SessionOptions graph_optimization_level inter_op_num_threads intra_op_num_threads log_severity_level log_verbosity_level
SessionOptions logid optimized_model_filepath profile_file_prefix use_deterministic_compute use_per_session_threads
"""

NOT_THERE = """
AdapterFormat LoraAdapter ModelCompiler OrtEpContextData OrtEpContextDataBuffer OrtEpDevice OrtExternalInitializerInfo
OrtHardwareDevice get_ep_devices print_debug_info register_execution_provider_library set_global_thread_pool_sizes
unregister_execution_provider_library
InferenceSession.get_input_epdevices RunOptions.add_active_adapter RunOptions.training_mode
SessionOptions.add_provider_for_devices SessionOptions.clear_ep_context_data_read_func
SessionOptions.set_ep_context_data_read_func SessionOptions.set_provider_selection_policy
SessionOptions.set_provider_selection_policy_delegate
"""

OURS_ONLY = {
    "__version__",
    "install_as_onnxruntime",
    "memory_stats",
    "trim",
    "OrtValueVector",
    "Limits",
    "LoadProgress",
}


def lines(text):
    return [line.split() for line in text.strip().splitlines()]


@pytest.mark.parametrize("line", lines(SIGNATURES), ids=lambda line: line[0])
def test_signature_takes_the_arguments_of_onnxruntime(line):
    path, *wanted = line
    function = ort
    for part in path.split("."):
        function = getattr(function, part)
    parameters = list(inspect.signature(function).parameters.values())
    if parameters and parameters[0].name == "self":
        del parameters[0]
    if parameters and parameters[0].kind is inspect.Parameter.VAR_POSITIONAL:
        return
    variable = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
    assert variable or len(parameters) >= len(wanted)
    for parameter, name in zip(parameters, wanted, strict=False):
        if name.startswith("*"):
            assert parameter.name == name[1:]
        elif name.startswith("/"):
            assert parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        else:
            assert name.startswith("arg") or parameter.name == name
            assert parameter.kind is not parameter.KEYWORD_ONLY
    for parameter in parameters[len(wanted) :]:
        optional = parameter.default is not parameter.empty or parameter.kind is parameter.VAR_POSITIONAL
        assert optional, parameter


@pytest.mark.parametrize("line", lines(ENUMS), ids=lambda line: " ".join(line[:2]))
def test_enum_has_the_members_of_onnxruntime(line):
    name, *members = line
    for text in members:
        member, number = text.split("=")
        assert int(getattr(getattr(ort, name), member)) == int(number)


@pytest.mark.parametrize("line", lines(PROPERTIES), ids=lambda line: " ".join(line[:2]))
def test_class_has_the_properties_of_onnxruntime(line):
    name, *properties = line
    for item in properties:
        assert hasattr(getattr(ort, name), item)


def test_every_exported_name_is_checked_or_ours_alone():
    checked = {
        line[0].split(".")[0] for line in lines("\n".join([SIGNATURES.strip(), ENUMS.strip(), PROPERTIES.strip()]))
    }
    assert set(ort.__all__) == checked | OURS_ONLY


def test_names_that_are_not_there_yet_are_documented_as_such():
    text = (Path(__file__).parents[2] / "docs" / "compatibility.md").read_text(encoding="utf-8")
    for path in NOT_THERE.split():
        owner, _, name = path.rpartition(".")
        assert not hasattr(getattr(ort, owner) if owner else ort, name), f"{path} is there: remove it from the list"
        assert f"`{path}`" in text


def test_every_exported_name_resolves_and_has_a_docstring():
    for name in ort.__all__:
        item = getattr(ort, name)
        assert name.startswith("__") or inspect.getdoc(item)
    assert set(ort.__all__) <= set(dir(ort))
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = ort.no_such_name


def test_versions():
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", ort.__version__)
    assert ort.get_version_string() == "1.31.1"
    assert ort.__version__ in ort.get_build_info()
    assert ort.get_build_info().startswith("ORT Build Info: ")


def test_providers_and_device():
    available, known = ort.get_available_providers(), ort.get_all_providers()
    assert "ReferenceExecutionProvider" in available
    assert set(available) <= set(known)
    assert {"CPUExecutionProvider", "CUDAExecutionProvider"} <= set(known)
    assert ort.get_device() in ("CPU", "GPU")
    available.clear()
    assert ort.get_available_providers()


def test_device_is_gpu_with_a_provider_that_has_device_memory():
    from ort_core.testing import fake_device

    with fake_device():
        assert ort.get_device() == "GPU"


def test_telemetry_functions_do_nothing():
    assert ort.enable_telemetry_events() is None
    assert ort.disable_telemetry_events() is None
    assert ort.has_collective_ops() is False
    assert ort.preload_dlls() is None
    assert ort.preload_dlls(cuda=False, cudnn=False, msvc=False, directory="") is None


def fresh(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


HEAVY = (
    "onnx",
    "ml_dtypes",
    "pluggy",
    "google.protobuf",
    "importlib.metadata",
    "asyncio",
    "ort_core.providers.reference",
)


@pytest.mark.parametrize(
    "code",
    [
        "import ort_core",
        "import ort_core; ort_core.InferenceSession; ort_core.SessionOptions; ort_core.RunOptions; ort_core.OrtValue",
        "import ort_core; ort_core.SessionOptions().add_session_config_entry('a', 'b')",
        "import ort_core; [getattr(ort_core, n) for n in ort_core.__all__]",
        "import ort_core; ort_core.install_as_onnxruntime(); import onnxruntime",
    ],
)
def test_import_loads_nothing_heavy(code):
    loaded = fresh(f"{code}\nimport sys\nprint(*sys.modules)")
    assert [name for name in HEAVY if name in loaded] == []


def test_bare_import_loads_hardly_anything():
    loaded = fresh("import sys\nbefore = set(sys.modules)\nimport ort_core\nprint(*sorted(set(sys.modules) - before))")
    assert "numpy" not in loaded
    assert [name for name in loaded if name.startswith("ort_core")] == ["ort_core"]


def test_session_of_an_ordinary_model_loads_no_pluggy():
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from session_models import ADD
import ort_core
ort_core.InferenceSession(ADD)
print(*sys.modules)
"""
    assert "pluggy" not in fresh(code)
