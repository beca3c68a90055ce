#!/usr/bin/env bash
# A configuration that transformers 5.24.0 writes is read by transformers 4.57.6 without an error and without a warning,
# but with the rotary base of 10,000 in place of its own: 5.x stores rope_theta inside `rope_parameters`, a key that 4.57
# keeps as an unknown attribute, while its own `rope_theta` takes the default. Scaling (Llama 3's, say) is lost in the same
# way. Every later position is then rotated by other angles than the model was trained with.
# The other way round, 4.57.6 to 5.24.0, the value is kept. Exits with 0 while this is so.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
for version in 5.24.0 4.57.6; do
  python3 -m venv "$place/$version"
  "$place/$version/bin/python" -m pip install --quiet "transformers==$version"
done
cat > "$place/write.py" <<'PYTHON'
import sys
import transformers
scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
           "original_max_position_embeddings": 8192}
if transformers.__version__.startswith("5"):
    config = transformers.LlamaConfig(rope_parameters={"rope_theta": 500000.0, **scaling})
else:
    config = transformers.LlamaConfig(rope_theta=500000.0, rope_scaling=scaling)
config.save_pretrained(sys.argv[1])
PYTHON
cat > "$place/read.py" <<'PYTHON'
import sys
import warnings
warnings.simplefilter("error")
import transformers
config = transformers.AutoConfig.from_pretrained(sys.argv[1])
parameters = getattr(config, "rope_parameters", None) or {}
if transformers.__version__.startswith("5"):
    print(parameters["rope_theta"], parameters["rope_type"])
else:
    print(config.rope_theta, (config.rope_scaling or {}).get("rope_type"))
PYTHON
"$place/5.24.0/bin/python" "$place/write.py" "$place/from5" 2> /dev/null
"$place/4.57.6/bin/python" "$place/write.py" "$place/from4" 2> /dev/null
down=$("$place/4.57.6/bin/python" "$place/read.py" "$place/from5" 2> "$place/said")
up=$("$place/5.24.0/bin/python" "$place/read.py" "$place/from4" 2> /dev/null)
echo "written by 5.24.0 with rope_theta 500000 and llama3 scaling, read by 4.57.6: rope_theta and scaling are $down"
echo "written by 4.57.6 with the same, read by 5.24.0: $up"
grep -v 'PyTorch' "$place/said" || true
[ "$down" = "10000.0 None" ] && [ "$up" = "500000.0 llama3" ]
