"""Classes of defects: from the crop of a finding and its mask to a name and how sure it is."""
