"""The stages that a bot went through, beside the one it is in: the last ones with their times, in its own row."""

MOST = 20


def with_stage(stage: str) -> str:
    """`b.stages` with one more at its end if `stage`, an SQL expression, is not NULL and another than before."""
    return f"""CASE WHEN {stage} IS NULL OR {stage} = b.stage THEN b.stages
         ELSE CASE WHEN jsonb_array_length(b.stages) >= {MOST} THEN b.stages - 0 ELSE b.stages END
              || jsonb_build_object('stage', {stage}, 'at', clock_timestamp()) END"""
