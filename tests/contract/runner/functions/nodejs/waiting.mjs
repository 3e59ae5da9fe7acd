await new Promise(() => {});
export const main = () => 'never';
